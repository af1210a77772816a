// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/size_text.hpp"
#include "cli/common/examined_set.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_devices.hpp"
#include "cli/common/verb.hpp"
#include "discovery/start_check.hpp"
#include "metadata/offline.hpp"
#include "metadata/store.hpp"

namespace dmremap::cli {

namespace {

using metadata::Survey;
using nlohmann::json;

struct Arguments {
  std::vector<std::string> devices;
  bool json = false;
};

struct Problem {
  std::string where;
  std::string what;
  std::string hint;
};
using Problems = std::vector<Problem>;

void check_standing(const Survey& survey, const std::string& path, Problems& out) {
  if (const auto error = metadata::refusal(survey, path)) {
    const bool in_doubt =
        error->code == ErrorCode::metadata_doubtful || error->code == ErrorCode::metadata_fork;
    const bool can_be_kept = in_doubt && survey.decision.winner.has_value();
    out.push_back({path, error->what,
                   can_be_kept ? "bring back what is missing, or name the commit to keep with "
                                 "`dmremap resolve DEVICE --keep COMMIT`"
                               : error->hint});
  }
}

void check_slots(const Survey& survey, const io::FileDevice& device, Problems& out) {
  for (const metadata::DamagedSlot& slot : metadata::damaged_slots(survey)) {
    const bool can_be_mended =
        survey.decision.writable() && slot.place.end().value <= device.geometry().size.value;
    const std::string verdict = slot.verdict == format::Verdict::stale
                                    ? "stale where the winner should be"
                                    : std::string(format::name_of(slot.verdict));
    out.push_back({device.path(),
                   fmt::format("copy {} slot {} (sector {}): {}", slot.copy,
                               format::slot_name(slot.slot), slot.place.first.value, verdict),
                   can_be_mended ? "`dmremap repair` mends it" : ""});
  }
}

void check_spare(const ExaminedDevice& spare, Problems& out) {
  const format::Content& content = *spare.survey.content;
  const SectorCount recorded = format::usable_spare_size(content);
  const SectorCount size = spare.device->geometry().size;
  if (size < recorded) {
    out.push_back({spare.path,
                   fmt::format("shrank from {} to {} sectors", recorded.value, size.value),
                   "give it back its size"});
  }
  const std::size_t entries = content.extents.size() + content.retired.size();
  const std::size_t capacity = metadata::table_capacity(content);
  if (entries * 20 >= capacity * 19) {
    out.push_back({spare.path, fmt::format("the table holds {} of {} entries", entries, capacity),
                   "replace the disk: new bad sectors will soon not be taken"});
  }
  if (const std::uint64_t lost = lost_sectors(spare.survey); lost > 0) {
    out.push_back({content.identity.name, fmt::format("{} sectors are lost or gone", lost),
                   "write them again, or restore the files that lie there"});
  }
}

// Checks that main was left alone since the last run ended, as a start would.
void check_contents(const ExaminedDevice& main, const Survey& survey, Problems& out) {
  const format::Identity& set = survey.content->identity;
  discovery::StartConditions conditions;
  if (const auto runtime = control::RuntimeDir::from_environment()) {
    // While the set runs, main changes all the time, and nothing is recorded about it.
    if (is_running(*runtime, set.name, set.set_uuid)) return;
    conditions.memory_path = memory_path(*runtime, set.name);
  }
  const bool known_by_contents = main.as_main && main.as_main->by_consent;
  const auto checked =
      discovery::check_contents(*main.device, survey, known_by_contents, conditions);
  if (!checked) {
    out.push_back({main.path, checked.error().what, checked.error().hint});
  }
}

// Checks that the device is main by its identity. If it is another device, its contents say nothing
// about this set.
void check_main(const ExaminedDevice& main, const Survey& survey, Problems& out) {
  if (main.as_main && !main.as_main->is_plainly_main()) {
    const bool unproven = main.as_main->identity == discovery::Identity::unproven;
    out.push_back({main.path,
                   fmt::format("{}: {}",
                               unproven ? "cannot be proved to be the main device of this set"
                                        : "is not the main device of this set as it was recorded",
                               in_words(*main.as_main)),
                   unproven ? "`dmremap start` takes it with --accept-main"
                            : "give the device the set was made with"});
    if (!unproven) return;
  }
  check_contents(main, survey, out);
}

Problems find_problems(const ExaminedSet& set) {
  Problems out;
  const ExaminedDevice& spare = set.devices[set.spare];
  check_standing(spare.survey, spare.path, out);
  check_slots(spare.survey, *spare.device, out);
  if (spare.survey.content) check_spare(spare, out);
  for (const ExaminedDevice& one : set.devices) {
    if (&one == &spare) continue;
    if (one.survey.has_set()) {
      out.push_back(
          {one.path, "holds this set too", "keep one of the two away: a set has one spare"});
    } else if (spare.survey.content) {
      check_main(one, spare.survey, out);
    }
  }
  return out;
}

// True if the metadata is sound. Lost sectors need attention too, but they do not make it unsound.
bool is_sound(const Survey& survey) {
  return survey.decision.writable() && !metadata::refusal(survey, "") &&
         metadata::damaged_slots(survey).empty();
}

json to_json(const ExaminedSet& set, const Problems& problems) {
  const Survey& survey = set.survey();
  json out{{"set", set_json(set)},
           {"sound", is_sound(survey)},
           {"winner", winner_json(survey)},
           {"copies", {{"good", survey.decision.holders.size()}, {"total", format::kCopies}}},
           {"problems", json::array()}};
  for (const Problem& problem : problems) {
    out["problems"].push_back(
        {{"where", problem.where}, {"what", problem.what}, {"hint", problem.hint}});
  }
  return out;
}

void print_text(const ExaminedSet& set, const Problems& problems) {
  const Survey& survey = set.survey();
  fmt::print("{}\n", set_text(set_json(set)));
  for (const Problem& problem : problems) {
    fmt::print("{}: {}{}{}\n", printable(problem.where), printable(problem.what),
               problem.hint.empty() ? "" : "; ", printable(problem.hint));
  }
  fmt::print("{}: {} of {} copies hold the latest commit{}\n",
             is_sound(survey) ? "sound" : "not sound", survey.decision.holders.size(),
             format::kCopies,
             problems.empty() ? "" : "; " + counted(problems.size(), "problem") + " found");
}

int run(const Arguments& arguments) {
  const auto devices = devices_meant(arguments.devices, DevicesWanted::all);
  if (!devices) return report(devices.error(), arguments.json);
  const auto set = examine_devices(devices->paths);
  if (!set) return report(set.error(), arguments.json);
  if (!set->has_set) return report(no_set(*set), arguments.json);
  Problems problems = find_problems(*set);
  if (const auto& away = devices->no_main)
    problems.push_back({away->where, away->what, away->hint});
  if (arguments.json) {
    print_json(to_json(*set, problems));
  } else {
    print_text(*set, problems);
  }
  if (!set->survey().decision.winner) return kFailed;
  return problems.empty() ? kDone : kAttention;
}

manual::Prose prose() {
  return {.description = R"(
Tells whether the metadata of a set is sound, whether the spare has the size that the set uses, and,
if main is named too, whether it is the right device and was left alone since the last stop. Each
problem is one line that says what to do. Nothing is written.
)",
          .examples = {{"dmremap check backup", "the whole set"},
                       {"dmremap check /dev/sdc1 /dev/sdb", "the same by its devices"}},
          .exits = {{0, "sound, and nothing was found"},
                    {1, "failed: a device cannot be read, or there is no winner"},
                    {3, "refused: the devices hold different sets, or metadata of a newer version"},
                    {4, "something needs attention; it is listed"}},
          .json = "set, sound, winner, copies{good, total}, problems[]{where, what, hint}",
          .see_also = {"examine", "repair"}};
}

}  // namespace

void add_check(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "check",
      "Whether the metadata of a set is sound, and its devices the right ones; reads only");
  const auto arguments = std::make_shared<Arguments>();
  add_devices(verb, arguments->devices, "a set; or its spare, and main if it is to be checked too")
      .required();
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
