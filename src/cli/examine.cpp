// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "cli/output.hpp"
#include "cli/verb.hpp"
#include "discovery/fingerprint.hpp"
#include "discovery/match.hpp"
#include "format/verdict.hpp"
#include "io/file_device.hpp"
#include "metadata/survey.hpp"

namespace dmremap::cli {

namespace {

using format::Verdict;
using nlohmann::json;

struct Arguments {
  std::vector<std::string> devices;
  bool json = false;
};

struct Examined {
  std::string path;
  std::unique_ptr<io::FileDevice> device;
  metadata::Survey survey;
  std::string role = "unknown";
  std::optional<Uuid> uuid;
};

bool is_fine(const metadata::SlotReport& slot) {
  return slot.settled && (slot.verdict == Verdict::good || slot.verdict == Verdict::stale);
}

bool is_fine(const metadata::Survey& survey) {
  return std::ranges::all_of(survey.copies, [](const metadata::CopyReport& copy) {
    return is_fine(copy.slots[0]) && is_fine(copy.slots[1]);
  });
}

// The set may be running, and a commit be caught in the middle: what is damage stays.
Result<metadata::Survey> survey_twice(io::FileDevice& device) {
  auto survey = metadata::survey(device);
  for (int again = 0; again < 4 && survey && survey->has_set() && !is_fine(*survey); ++again) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    survey = metadata::survey(device);
  }
  return survey;
}

Result<Examined> examine(const std::string& path) {
  auto device = io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
  if (!device) return tl::unexpected(device.error());
  auto survey = survey_twice(**device);
  if (!survey) return tl::unexpected(survey.error());
  Examined out{path, std::move(*device), std::move(*survey), "unknown", std::nullopt};
  if (out.survey.has_set()) {
    out.role = "spare";
    out.uuid = out.survey.spare_uuid;
  }
  return out;
}

// Whose metadata is to be told of: the spare's, of two that hold one set the one with the later
// winner.
Result<const Examined*> leading(const std::vector<Examined>& all) {
  const Examined* lead = nullptr;
  for (const Examined& one : all) {
    if (!one.survey.has_set()) continue;
    if (lead != nullptr && lead->survey.set_uuid != one.survey.set_uuid) {
      return fail(ErrorCode::ambiguous, "the devices hold different sets", one.path,
                  "examine the devices of one set at a time");
    }
    const auto& winner = one.survey.decision.winner;
    if (lead == nullptr || (winner && (!lead->survey.decision.winner ||
                                       winner->order() > lead->survey.decision.winner->order()))) {
      lead = &one;
    }
  }
  return lead;
}

void find_main(std::vector<Examined>& all, const format::Identity& identity) {
  for (Examined& one : all) {
    if (one.survey.has_set()) continue;
    const auto seen = discovery::take_fingerprint(*one.device);
    if (!seen) continue;
    if (discovery::match(identity.main, *seen).likeness != discovery::Likeness::same) continue;
    one.role = "main";
    one.uuid = identity.main_uuid;
  }
}

json slot_json(const metadata::SlotReport& slot, unsigned index) {
  json out{{"slot", index == 0 ? "A" : "B"},
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

json copies_json(const Examined& one) {
  json out = json::array();
  // Main carries no metadata: sixteen "corrupt" slots would only frighten.
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

json winner_json(const metadata::Survey& survey) {
  const auto& winner = survey.decision.winner;
  if (!winner) return nullptr;
  return {{"sequence", std::to_string(winner->sequence)},
          {"term", std::to_string(winner->term)},
          {"commit", to_string(winner->id)},
          {"timestamp", format_time(winner->wall_ns)},
          {"writable", survey.decision.writable() && !survey.newer_format},
          {"reason", survey.reason}};
}

json to_json(const std::vector<Examined>& all, const Examined* lead) {
  json out{{"set", nullptr}, {"devices", json::array()}, {"winner", nullptr}};
  if (lead != nullptr) {
    const auto& content = lead->survey.content;
    out["set"] = {{"name", content ? json(content->identity.name) : json()},
                  {"uuid", to_string(*lead->survey.set_uuid)}};
    out["winner"] = winner_json(lead->survey);
  }
  for (const Examined& one : all) {
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

void print_text(const json& examined) {
  const json& set = examined["set"];
  if (set.is_object()) {
    fmt::print("set {} {}\n",
               set["name"].is_string() ? printable(set["name"].get<std::string>()) : "(unknown)",
               set["uuid"].get<std::string>());
  } else {
    fmt::print("no set\n");
  }
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

int run(const Arguments& arguments) {
  std::vector<Examined> all;
  for (const std::string& path : arguments.devices) {
    auto one = examine(path);
    if (!one) return report(one.error(), arguments.json);
    all.push_back(std::move(*one));
  }
  const auto lead = leading(all);
  if (!lead) return report(lead.error(), arguments.json);
  if (*lead != nullptr && (*lead)->survey.content) {
    find_main(all, (*lead)->survey.content->identity);
  }
  const json examined = to_json(all, *lead);
  if (arguments.json) {
    print_json(examined);
  } else {
    print_text(examined);
  }
  if (*lead == nullptr || !(*lead)->survey.decision.winner) return kFailed;
  const bool fine = std::ranges::all_of(all, [](const Examined& one) {
    return !one.survey.has_set() || (is_fine(one.survey) && one.survey.decision.writable());
  });
  return fine ? kDone : kAttention;
}

}  // namespace

void add_examine(CLI::App& app, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand(
      "examine", "Every metadata copy with its verdict, the winner and why; reads only");
  const auto arguments = std::make_shared<Arguments>();
  verb->add_option("DEVICE", arguments->devices, "any of the devices of a set")->required();
  verb->add_flag("--json", arguments->json, "JSON instead of text");
  verb->callback([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
