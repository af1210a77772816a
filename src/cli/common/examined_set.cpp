// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/examined_set.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_devices.hpp"
#include "discovery/device_look.hpp"
#include "format/verdict.hpp"
#include "os/parallel_tasks.hpp"

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

// Tells of the devices without metadata whether they are main of this set.
Result<void> find_main(std::vector<ExaminedDevice>& devices, const format::Content& content) {
  struct Gathering {
    std::unique_ptr<io::FileDevice> device;
    std::optional<Result<discovery::DeviceFacts>> facts;
  };
  std::vector<ExaminedDevice*> candidates;
  std::vector<std::shared_ptr<Gathering>> gatherings;
  std::vector<std::function<void()>> tasks;
  for (ExaminedDevice& one : devices) {
    if (one.survey.has_set()) continue;
    candidates.push_back(&one);
    gatherings.push_back(
        std::make_shared<Gathering>(Gathering{std::move(one.device), std::nullopt}));
    tasks.emplace_back(
        [own = gatherings.back()] { own->facts = discovery::gather_facts(*own->device); });
  }
  const std::vector<bool> ended = os::run_parallel(std::move(tasks));
  const auto recorded = discovery::recorded_main(content);
  const auto shared = discovery::shared_facts(discovery::names_of_disks());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    ExaminedDevice& one = *candidates[i];
    if (!ended[i]) return tl::unexpected(discovery::silent_device(one.path));
    one.device = std::move(gatherings[i]->device);
    const Result<discovery::DeviceFacts>& seen = *gatherings[i]->facts;
    if (!seen) continue;
    one.as_main = discovery::identify(recorded, *seen, shared);
    if (one.as_main->identity != discovery::Identity::same) continue;
    one.role = "main";
    one.uuid = content.identity.main_uuid;
  }
  return {};
}

// Every task owns its part of the work: one that hangs in its device outlives the verb.
Result<std::vector<ExaminedDevice>> examine_all(const std::vector<std::string>& paths) {
  using Examination = std::optional<Result<ExaminedDevice>>;
  std::vector<std::shared_ptr<Examination>> examinations;
  std::vector<std::function<void()>> tasks;
  for (const std::string& path : paths) {
    examinations.push_back(std::make_shared<Examination>());
    tasks.emplace_back([path, out = examinations.back()] { *out = examine(path); });
  }
  const std::vector<bool> ended = os::run_parallel(std::move(tasks));
  std::vector<ExaminedDevice> out;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!ended[i]) return tl::unexpected(discovery::silent_device(paths[i]));
    Result<ExaminedDevice>& one = **examinations[i];
    if (!one) return failure_of(one);
    out.push_back(std::move(*one));
  }
  return out;
}

}  // namespace

Result<ExaminedSet> examine_devices(const std::vector<std::string>& paths) {
  ExaminedSet set;
  auto devices = examine_all(paths);
  if (!devices) return failure_of(devices);
  set.devices = std::move(*devices);
  if (auto chosen = choose_spare(set); !chosen) return failure_of(chosen);
  if (set.has_set && set.survey().content) {
    if (auto found = find_main(set.devices, *set.survey().content); !found) {
      return failure_of(found);
    }
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

Result<HeldSpare> hold_spare(const std::vector<std::string>& given) {
  const auto devices = devices_meant(given, DevicesWanted::spare);
  if (!devices) return failure_of(devices);
  auto set = examine_devices(devices->paths);
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
