// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/known_sets.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cli/common/host_view.hpp"
#include "cli/common/lookup.hpp"
#include "discovery/hints.hpp"

namespace dmremap::cli {

namespace {

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

KnownSet running_set(const control::RuntimeDir& runtime, const std::string& name) {
  auto status = running_status(runtime, name);
  if (status) return known_by(std::move(*status));
  KnownSet out;
  out.name = name;
  out.pid = control::holder_of(runtime.pid_file(name)).value_or(0);
  out.state = "unknown";
  out.reason = status.error().what;
  return out;
}

// A set whose spare is not here, or cannot be read.
KnownSet set_without_spare(const control::RuntimeDir& runtime, const std::string& name,
                           const Error& error) {
  KnownSet out;
  out.name = name;
  out.state = "stopped";
  out.conditions = {"stopped", "spare-away"};
  out.reason = error.what;
  const auto hint = discovery::Hints(runtime.hints()).find(name);
  if (hint) out.uuid = hint->set_uuid;
  if (hint && error.code == ErrorCode::not_running) {
    out.reason = fmt::format("its spare is not here; it was last seen at {}", hint->spare_path);
  }
  if (std::string death = death_of(runtime, name); !death.empty()) {
    out.conditions.insert(out.conditions.begin() + 1, "died");
    out.reason += "; " + death;
  }
  return out;
}

}  // namespace

KnownSet known_by(control::SetReport report) {
  KnownSet out;
  out.name = report.name;
  out.uuid = report.uuid;
  out.pid = report.pid;
  out.state = report.state;
  out.conditions = report.conditions;
  out.reason = report.reason;
  out.needs_attention = report.needs_attention;
  out.report = std::move(report);
  return out;
}

Result<discovery::Spare> spare_of_known(const control::RuntimeDir& runtime, const std::string& name,
                                        discovery::DeviceLook& look) {
  const auto hint = discovery::Hints(runtime.hints()).find(name);
  if (hint && !hint->spare_path.empty()) {
    auto survey = discovery::survey_path(hint->spare_path);
    const bool is_it = survey && survey->content && survey->content->identity.name == name &&
                       (!hint->set_uuid || survey->set_uuid == hint->set_uuid);
    if (is_it) return discovery::Spare{hint->spare_path, std::move(*survey), {}};
  }
  return stopped_set(runtime, name, look);
}

KnownSet known_set(const control::RuntimeDir& runtime, const std::string& name,
                   discovery::DeviceLook& look) {
  if (is_running(runtime, name)) return running_set(runtime, name);
  const auto spare = spare_of_known(runtime, name, look);
  if (!spare) return set_without_spare(runtime, name, spare.error());
  if (!spare->survey.content) {
    return set_without_spare(
        runtime, name,
        Error{ErrorCode::no_metadata, "no whole commit is left on its spare", spare->path, {}});
  }
  return known_by(stopped_report(runtime, *spare));
}

KnownSet present_set(const control::RuntimeDir& runtime, const std::string& name) {
  if (is_running(runtime, name)) return running_set(runtime, name);
  KnownSet out;
  out.name = name;
  out.state = "stopped";
  out.conditions = {"stopped", "died"};
  out.reason = death_of(runtime, name);
  return out;
}

std::string state_word(const KnownSet& set) {
  if (set.is_running()) return set.state;
  if (has(set.conditions, "spare-away") || has(set.conditions, "main-missing")) {
    return "incomplete";
  }
  return has(set.conditions, "died") ? "died" : "stopped";
}

std::vector<std::string> mount_points_of(const control::SetReport& set) {
  std::vector<std::string> out;
  for (const control::ExportReport& one : set.exports) {
    for (std::string& point : mounts_on(one.where)) {
      if (!has(out, point)) out.push_back(std::move(point));
    }
  }
  return out;
}

}  // namespace dmremap::cli
