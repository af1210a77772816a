// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/size_text.hpp"
#include "cli/common/examined_set.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_devices.hpp"
#include "cli/common/verb.hpp"
#include "format/verdict.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> devices;
  bool json = false;
};

json slot_json(const metadata::SlotReport& slot, unsigned index) {
  json out{{"slot", format::slot_name(index)},
           {"verdict", format::name_of(slot.verdict)},
           {"settled", slot.settled},
           {"sequence", nullptr},
           {"term", nullptr},
           {"commit", nullptr},
           {"timestamp", nullptr},
           {"remapped_sectors", nullptr},
           {"lost_sectors", nullptr}};
  if (slot.seal) {
    out["sequence"] = std::to_string(slot.seal->sequence);
    out["term"] = std::to_string(slot.seal->term);
    out["commit"] = to_string(slot.seal->commit);
    out["timestamp"] = format_time(slot.seal->wall_ns);
  }
  if (slot.whole) {
    out["remapped_sectors"] = slot.remapped_sectors;
    out["lost_sectors"] = slot.lost_sectors;
  }
  return out;
}

json copies_json(const ExaminedDevice& one) {
  json out = json::array();
  // Main carries no metadata. Sixteen slots that are called corrupt would only alarm the reader.
  if (one.role == "main") return out;
  for (const metadata::CopyReport& copy : one.survey.copies) {
    json slots = json::array();
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      slots.push_back(slot_json(copy.slots[slot], slot));
    }
    out.push_back({{"index", copy.index},
                   {"sector", copy.place.first.value},
                   {"length_sectors", copy.place.count.value},
                   {"slots", slots}});
  }
  return out;
}

json to_json(const ExaminedSet& set) {
  json out{{"set", set_json(set)},
           {"devices", json::array()},
           {"winner", set.has_set ? winner_json(set.survey()) : json()}};
  for (const ExaminedDevice& one : set.devices) {
    out["devices"].push_back({{"path", one.path},
                              {"role", one.role},
                              {"uuid", one.uuid ? json(to_string(*one.uuid)) : json()},
                              {"copies", copies_json(one)}});
  }
  return out;
}

std::string slot_text(const json& slot) {
  std::string out = slot["verdict"];
  if (slot["sequence"].is_string()) {
    out +=
        fmt::format(" {}/{}", slot["sequence"].get<std::string>(), slot["term"].get<std::string>());
  }
  if (!slot["settled"].get<bool>()) out += " unsettled";
  return out;
}

bool winner_is_writable(const json& examined) {
  return examined["winner"].is_object() && examined["winner"]["writable"].get<bool>();
}

// The commits to choose from, where one must be chosen.
void print_commits(const json& examined) {
  if (winner_is_writable(examined)) return;
  std::map<std::string, std::pair<json, unsigned>> commits;
  for (const json& device : examined["devices"]) {
    for (const json& copy : device["copies"]) {
      for (const json& slot : copy["slots"]) {
        if (slot["verdict"] != "good" && slot["verdict"] != "stale") continue;
        auto& [found, slots] = commits[slot["commit"].get<std::string>()];
        found = slot;
        ++slots;
      }
    }
  }
  if (!commits.empty()) fmt::print("\n");
  for (const auto& [id, commit] : commits) {
    const auto& [slot, slots] = commit;
    fmt::print("  commit {}  {}/{}, whole in {}, {} remapped and {} lost sectors, {}\n", id,
               slot["sequence"].get<std::string>(), slot["term"].get<std::string>(),
               counted(slots, "slot"), slot["remapped_sectors"].get<std::uint64_t>(),
               slot["lost_sectors"].get<std::uint64_t>(), slot["timestamp"].get<std::string>());
  }
}

void print_text(const json& examined) {
  fmt::print("{}\n", set_text(examined["set"]));
  for (const json& device : examined["devices"]) {
    fmt::print("\n{}: {}\n", printable(device["path"].get<std::string>()),
               device["role"].get<std::string>());
    if (device["copies"].empty()) continue;
    fmt::print("  copy      sector  {:<28} {}\n", "slot A (sequence/term)", "slot B");
    for (const json& copy : device["copies"]) {
      fmt::print("  {:<4} {:>11}  {:<28} {}\n", copy["index"].get<unsigned>(),
                 copy["sector"].get<std::uint64_t>(), slot_text(copy["slots"][0]),
                 slot_text(copy["slots"][1]));
    }
  }
  const json& winner = examined["winner"];
  print_commits(examined);
  if (winner.is_null()) {
    fmt::print("\nno winner: not one slot holds a whole commit\n");
    return;
  }
  fmt::print("\nwinner: sequence {}, term {}, commit {}, written {}\n{}: {}\n",
             winner["sequence"].get<std::string>(), winner["term"].get<std::string>(),
             winner["commit"].get<std::string>(), winner["timestamp"].get<std::string>(),
             winner["writable"].get<bool>() ? "writable" : "not writable",
             printable(winner["reason"].get<std::string>()));
}

bool needs_attention(const metadata::Survey& survey) {
  return !is_undamaged(survey) || !survey.decision.writable() || lost_sectors(survey) > 0;
}

int run(const Arguments& arguments) {
  const auto devices = devices_meant(arguments.devices, DevicesWanted::all);
  if (!devices) return report(devices.error(), arguments.json);
  if (devices->no_main) warn("main is left out: " + devices->no_main->message());
  const auto set = examine_devices(devices->paths);
  if (!set) return report(set.error(), arguments.json);
  const json examined = to_json(*set);
  if (arguments.json) {
    print_json(examined);
  } else {
    print_text(examined);
  }
  if (!set->has_set || !set->survey().decision.winner) return kFailed;
  const bool attention = std::ranges::any_of(set->devices, [](const ExaminedDevice& one) {
    return one.survey.has_set() && needs_attention(one.survey);
  });
  return attention ? kAttention : kDone;
}

manual::Prose prose() {
  return {
      .description = R"(
Reads the metadata of any of a set's devices, running or not, and prints for each of the eight
copies and their two slots a verdict: `good`, `stale`, `torn`, `corrupt`, `misplaced`, `foreign`,
`unreadable` or `empty`; then which commit is the winner and why. Nothing is written.
)",
      .examples = {{"dmremap examine backup", "every slot of the set's spare"},
                   {"dmremap examine /dev/sdc1", "of a spare that is at hand"},
                   {"dmremap examine ./spare.img ./main.img --json", "for scripts"}},
      .exits = {{0, "undamaged, and no sector is lost"},
                {1, "failed: a device cannot be read, or there is no winner"},
                {3, "refused: the devices hold different sets"},
                {4,
                 "something needs attention: a damaged or unsettled slot, a doubt, a lost sector"}},
      .json = "set, devices[]{path, role, uuid, copies[]}, winner",
      .see_also = {"check", "repair", "resolve"}};
}

}  // namespace

void add_examine(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "examine", "Every metadata copy with its verdict, the winner and why; reads only");
  const auto arguments = std::make_shared<Arguments>();
  add_devices(verb, arguments->devices, "a set, or any of its devices").required();
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
