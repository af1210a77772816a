// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/waiting_mounts.hpp"

#include <algorithm>
#include <chrono>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include "cli/common/output.hpp"
#include "os/program_run.hpp"
#include "os/set_link.hpp"
#include "os/unit_name.hpp"

namespace dmremap::cli {

namespace {

constexpr std::size_t kMostBytes = 1U << 20U;
// On a loaded machine systemd may take half a minute to answer, and with no answer its jobs wait
// on.
constexpr std::chrono::seconds kPatience{60};
constexpr unsigned kAttempts = 3;

// True if udev puts the text into a link as it is.
bool is_plain(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return c > 0x20 && c < 0x7f && c != '/' && c != '\\' && c != '"' && c != '\'';
  });
}

os::ProgramEnd systemctl(std::vector<std::string> arguments) {
  os::ProgramRun run;
  run.words = {"systemctl"};
  run.words.insert(run.words.end(), arguments.begin(), arguments.end());
  run.at_most = kPatience;
  run.most_bytes = kMostBytes;
  return os::run_to_end(run);
}

bool succeeded(const os::ProgramEnd& end) {
  return end.how == os::ProgramEnd::How::ended && end.status == 0;
}

}  // namespace

std::vector<std::string> device_units_of(const claims::Claim& claim) {
  std::vector<std::string> out;
  for (const std::string& link : os::set_links(claim.name)) {
    out.push_back(os::device_unit_of(link));
  }
  for (const format::Fact& fact : claim.main.facts) {
    if (!is_plain(fact.value)) continue;
    if (fact.kind == format::FactKind::file_system_uuid) {
      out.push_back(os::device_unit_of("/dev/disk/by-uuid/" + fact.value));
    } else if (fact.kind == format::FactKind::file_system_label) {
      out.push_back(os::device_unit_of("/dev/disk/by-label/" + fact.value));
    }
  }
  for (const std::string& known : claim.links) {
    std::string unit = os::device_unit_of(known);
    if (std::ranges::find(out, unit) == out.end()) out.push_back(std::move(unit));
  }
  return out;
}

std::vector<std::string> jobs_for(const std::string& list, const std::vector<std::string>& units) {
  std::vector<std::string> out;
  std::istringstream lines(list);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string job;
    std::string unit;
    words >> job >> unit;
    if (std::ranges::find(units, unit) != units.end()) out.push_back(job);
  }
  return out;
}

void fail_waiting_mounts(const claims::Claim& claim) {
  if (::sd_booted() <= 0) return;
  const std::string said = cancel_jobs_for(claim, systemctl);
  if (!said.empty()) warn("the mounts of " + claim.name + " wait on: " + said);
}

std::string cancel_jobs_for(const claims::Claim& claim, const RunSystemctl& systemctl) {
  std::string said;
  for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
    const os::ProgramEnd list = systemctl({"list-jobs", "--no-legend", "--no-pager", "--full"});
    said = list.said;
    if (!succeeded(list)) continue;
    std::vector<std::string> cancel = jobs_for(list.output, device_units_of(claim));
    if (cancel.empty()) return {};
    cancel.insert(cancel.begin(), "cancel");
    const os::ProgramEnd cancelled = systemctl(std::move(cancel));
    if (succeeded(cancelled)) return {};
    // A job may have ended since it was listed.
    said = cancelled.said;
  }
  return said.empty() ? "systemctl does not answer" : said;
}

}  // namespace dmremap::cli
