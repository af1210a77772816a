// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/examined_set.hpp"

#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "cli/common/output.hpp"
#include "format/verdict.hpp"

namespace dmremap::cli {

namespace {

using format::Verdict;
using nlohmann::json;

// Surveys the device repeatedly while it looks damaged. The set may be running, and a survey may
// meet a commit half written; real damage stays.
Result<metadata::Survey> survey_twice(io::FileDevice& device) {
  auto survey = metadata::survey(device);
  for (int again = 0; again < 4 && survey && survey->has_set() && !is_undamaged(*survey); ++again) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    survey = metadata::survey(device);
  }
  return survey;
}

Result<ExaminedDevice> examine(const std::string& path) {
  auto device = io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
  if (!device) return failure_of(device);
  auto survey = survey_twice(**device);
  if (!survey) return failure_of(survey);
  ExaminedDevice out{path,      std::move(*device), std::move(*survey),
                     "unknown", std::nullopt,       std::nullopt};
  if (out.survey.has_set()) {
    out.role = "spare";
    out.uuid = out.survey.spare_uuid;
  }
  return out;
}

// Chooses the spare whose metadata is shown. If two devices hold the same set, it is the one with
// the later winner.
Result<void> choose_spare(ExaminedSet& set) {
  for (std::size_t i = 0; i < set.devices.size(); ++i) {
    const metadata::Survey& survey = set.devices[i].survey;
    if (!survey.has_set()) continue;
    if (set.has_set && set.survey().set_uuid != survey.set_uuid) {
      return fail(ErrorCode::ambiguous, "the devices hold different sets", set.devices[i].path,
                  "name the devices of one set at a time");
    }
    const auto& winner = survey.decision.winner;
    const bool later =
        !set.has_set || (winner && (!set.survey().decision.winner ||
                                    winner->order() > set.survey().decision.winner->order()));
    if (later) set.spare = i;
    set.has_set = true;
  }
  return {};
}

void find_main(std::vector<ExaminedDevice>& devices, const format::Content& content) {
  const auto recorded = discovery::recorded_main(content);
  const auto shared = discovery::shared_facts(discovery::names_of_disks());
  for (ExaminedDevice& one : devices) {
    if (one.survey.has_set()) continue;
    const auto seen = discovery::gather_facts(*one.device);
    if (!seen) continue;
    one.as_main = discovery::identify(recorded, *seen, shared);
    if (one.as_main->identity != discovery::Identity::same) continue;
    one.role = "main";
    one.uuid = content.identity.main_uuid;
  }
}

}  // namespace

Result<ExaminedSet> examine_devices(const std::vector<std::string>& paths) {
  ExaminedSet set;
  for (const std::string& path : paths) {
    auto one = examine(path);
    if (!one) return failure_of(one);
    set.devices.push_back(std::move(*one));
  }
  if (auto chosen = choose_spare(set); !chosen) return failure_of(chosen);
  if (set.has_set && set.survey().content) {
    find_main(set.devices, *set.survey().content);
  }
  return set;
}

Error no_set(const ExaminedSet& set) {
  for (const ExaminedDevice& one : set.devices) {
    if (one.survey.newer_format) return *metadata::refusal(one.survey, one.path);
  }
  return {ErrorCode::no_metadata, "no dm-remap metadata: " + set.devices.front().survey.reason,
          set.devices.front().path, "name the spare of the set"};
}

Result<HeldSpare> hold_spare(const std::vector<std::string>& paths) {
  auto set = examine_devices(paths);
  if (!set) return failure_of(set);
  if (!set->has_set) return tl::unexpected(no_set(*set));
  const std::string path = set->devices[set->spare].path;
  const auto holders = std::ranges::count_if(
      set->devices, [](const ExaminedDevice& one) { return one.survey.has_set(); });
  if (holders > 1) {
    return fail(ErrorCode::ambiguous, "two of the devices hold this set", path,
                "name only the one that is meant");
  }
  set->devices.clear();
  auto device = io::FileDevice::open(path, {io::Access::read_write, io::Holding::exclusive});
  if (!device) return failure_of(device);
  auto survey = metadata::survey(**device);
  if (!survey) return failure_of(survey);
  return HeldSpare{std::move(*device), std::move(*survey)};
}

bool is_undamaged(const metadata::Survey& survey) {
  return std::ranges::all_of(survey.copies, [](const metadata::CopyReport& copy) {
    return std::ranges::all_of(copy.slots, [](const metadata::SlotReport& slot) {
      return slot.settled && (slot.verdict == Verdict::good || slot.verdict == Verdict::stale);
    });
  });
}

std::uint64_t lost_sectors(const metadata::Survey& survey) {
  std::uint64_t sectors = 0;
  if (!survey.content) return sectors;
  for (const format::Extent& extent : survey.content->extents) {
    if (extent.state() == format::State::lost || extent.state() == format::State::gone) {
      sectors += extent.main().count.value;
    }
  }
  return sectors;
}

json commit_json(const metadata::CommitName& commit) {
  return {{"sequence", std::to_string(commit.sequence)},
          {"term", std::to_string(commit.term)},
          {"commit", to_string(commit.id)},
          {"timestamp", format_time(commit.wall_ns)}};
}

json winner_json(const metadata::Survey& survey) {
  const auto& winner = survey.decision.winner;
  if (!winner) return nullptr;
  json out = commit_json(*winner);
  out["writable"] = survey.decision.writable() && !survey.newer_format;
  out["reason"] = survey.reason;
  return out;
}

json set_json(const metadata::Survey& survey) {
  if (!survey.has_set()) return nullptr;
  return {{"name", survey.content ? json(survey.content->identity.name) : json()},
          {"uuid", to_string(*survey.set_uuid)}};
}

json set_json(const ExaminedSet& set) {
  return set.has_set ? set_json(set.survey()) : json();
}

std::string set_text(const json& set) {
  if (!set.is_object()) return "no set";
  return fmt::format(
      "set {} {}",
      set["name"].is_string() ? printable(set["name"].get<std::string>()) : "(unknown)",
      set["uuid"].get<std::string>());
}

}  // namespace dmremap::cli
