// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "cli/common/examined_set.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_devices.hpp"
#include "cli/common/verb.hpp"
#include "metadata/offline.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> devices;
  bool dry_run = false;
  bool json = false;
};

struct RepairOutcome {
  json set;
  std::string path;
  metadata::RepairReport repaired;
};

// Reports what would be mended. Unlike mend() it does not hold the spare, so it works beside a
// running set.
Result<RepairOutcome> list_damage(const Arguments& arguments) {
  const auto devices = devices_meant(arguments.devices, DevicesWanted::spare);
  if (!devices) return failure_of(devices);
  auto set = examine_devices(devices->paths);
  if (!set) return failure_of(set);
  if (!set->has_set) return tl::unexpected(no_set(*set));
  const std::string& path = set->devices[set->spare].path;
  if (const auto error = metadata::refusal(set->survey(), path)) return tl::unexpected(*error);
  return RepairOutcome{
      set_json(*set), path, {metadata::damaged_slots(set->survey()), std::nullopt}};
}

Result<RepairOutcome> mend(const Arguments& arguments) {
  auto spare = hold_spare(arguments.devices);
  if (!spare) return failure_of(spare);
  auto repaired = metadata::repair(*spare->device, spare->survey, system_random(), system_clock());
  if (!repaired) return failure_of(repaired);
  return RepairOutcome{set_json(spare->survey), spare->device->path(), std::move(*repaired)};
}

std::size_t unmended(const RepairOutcome& outcome) {
  return static_cast<std::size_t>(std::ranges::count_if(
      outcome.repaired.slots, [](const metadata::DamagedSlot& slot) { return !slot.mended; }));
}

json to_json(const RepairOutcome& outcome, bool dry_run) {
  json out{{"set", outcome.set}, {"dry_run", dry_run}, {"slots", json::array()}};
  for (const metadata::DamagedSlot& slot : outcome.repaired.slots) {
    out["slots"].push_back({{"copy", slot.copy},
                            {"slot", format::slot_name(slot.slot)},
                            {"sector", slot.place.first.value},
                            {"verdict", format::name_of(slot.verdict)},
                            {"mended", slot.mended}});
  }
  out["committed"] = outcome.repaired.committed ? commit_json(*outcome.repaired.committed) : json();
  return out;
}

void print_text(const RepairOutcome& outcome, bool dry_run) {
  fmt::print("{}\n", set_text(outcome.set));
  for (const metadata::DamagedSlot& slot : outcome.repaired.slots) {
    fmt::print("copy {} slot {} (sector {}): {}, {}\n", slot.copy, format::slot_name(slot.slot),
               slot.place.first.value, format::name_of(slot.verdict),
               dry_run ? "would be mended" : (slot.mended ? "mended" : "cannot be mended"));
  }
  if (outcome.repaired.slots.empty()) fmt::print("nothing to mend\n");
}

int run(const Arguments& arguments) {
  const auto outcome = arguments.dry_run ? list_damage(arguments) : mend(arguments);
  if (!outcome) return report(outcome.error(), arguments.json);
  if (arguments.json) {
    print_json(to_json(*outcome, arguments.dry_run));
  } else {
    print_text(*outcome, arguments.dry_run);
  }
  // Slots that could not be mended make the verb fail, although the set goes on with the others.
  const std::size_t left = arguments.dry_run ? 0 : unmended(*outcome);
  if (left == 0) return kDone;
  return report(
      Error{ErrorCode::io,
            fmt::format("{} of {} damaged slots cannot be mended", left,
                        outcome->repaired.slots.size()),
            outcome->path, "the set goes on with the others; copy the spare to a healthy device"},
      arguments.json);
}

manual::Prose prose() {
  return {.description = R"(
Writes the commits that are there anyway into the slots that lost them, and verifies them; the data
and what the set knows of it stay as they are. A set that is in doubt is refused: see `dmremap
resolve`. It may be interrupted and run again. `dmremap start` mends damage by itself, too.
)",
          .examples = {{"dmremap repair backup --dry-run", "what would be mended"},
                       {"dmremap repair backup", "mend it"},
                       {"dmremap repair /dev/sdc1", "the same by its spare"}},
          .exits = {{0, "all is mended, or there was nothing to mend"},
                    {1, "failed: no metadata, or some slots do not take a write"},
                    {3, "refused: the set is in doubt, in use, or of a newer version"}},
          .json = "set, dry_run, slots[]{copy, slot, sector, verdict, mended}, committed",
          .see_also = {"check", "examine", "resolve"}};
}

}  // namespace

void add_repair(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "repair", "Mend the damaged metadata slots of a stopped set in their own places");
  const auto arguments = std::make_shared<Arguments>();
  add_devices(verb, arguments->devices,
              "the set; or its spare, and other devices of it may be named")
      .required();
  verb.add_flag("--dry-run", arguments->dry_run, "say what would be mended, write nothing");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
