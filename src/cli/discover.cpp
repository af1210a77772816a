// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/discovered.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_devices.hpp"
#include "cli/common/verb.hpp"
#include "os/child_work.hpp"
#include "os/json_line.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> devices;
  std::string deadline;
  bool pairs = false;
  bool json = false;
};

std::string_view likeness_of(const discovery::IdentityVerdict& verdict) {
  const bool same = verdict.identity == discovery::Identity::same;
  return same && verdict.contents_changed ? "file-system-changed" : name_of(verdict.identity);
}

json json_of(const discovery::DiscoveredSet& set) {
  json mains = json::array();
  for (const discovery::DiscoveredMain& main : set.mains) {
    mains.push_back({{"path", main.path},
                     {"likeness", likeness_of(main.verdict)},
                     {"confirmed", main.verdict.identity == discovery::Identity::same &&
                                       !main.verdict.by_consent},
                     {"chosen", main.chosen},
                     {"reason", in_words(main.verdict)}});
  }
  const auto path = [](const std::string& text) { return text.empty() ? json() : json(text); };
  return {
      {"name", path(set.name)},    {"uuid", to_string(set.uuid)},
      {"state", state_of(set)},    {"spare", path(set.spare)},
      {"main", path(set.main)},    {"spares", set.spares},
      {"mains", std::move(mains)}, {"problem", set.problem ? os::to_json(*set.problem) : json()}};
}

// Prints a pair like `lsblk --pairs`: a character that means something to a shell is \xNN, so that
// a line is safe to eval, and a line is one set even if paths contain line ends.
std::string pair(const char* key, std::string_view value) {
  std::string out = fmt::format("{}=\"", key);
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        byte >= 0x20 && byte < 0x7f && std::string_view("\"\\$`").find(c) == value.npos;
    out += plain ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return out + '"';
}

void print_pairs(const discovery::DiscoveredSet& set) {
  fmt::print("{} {} {} {} {} {}\n", pair("NAME", set.name), pair("UUID", to_string(set.uuid)),
             pair("STATE", state_of(set)), pair("SPARE", set.spare), pair("MAIN", set.main),
             pair("REASON", set.problem ? set.problem->message() : std::string()));
}

std::string main_text(const discovery::DiscoveredMain& main) {
  return fmt::format("{}{}: {}{}; {}", printable(main.path), main.chosen ? "" : " (not taken)",
                     discovery::name_of(main.verdict.identity),
                     main.verdict.by_consent ? " (you said so once)" : "",
                     printable(in_words(main.verdict)));
}

void print_text(const discovery::DiscoveredSet& set) {
  fmt::print("{}: {}\n  uuid    {}\n", set.name.empty() ? "(no name)" : printable(set.name),
             state_of(set), to_string(set.uuid));
  for (const std::string& spare : set.spares) {
    const char* note = spare == set.spare ? "" : " (not taken)";
    fmt::print("  spare   {}{}\n", printable(spare), note);
  }
  for (const discovery::DiscoveredMain& main : set.mains)
    fmt::print("  main    {}\n", main_text(main));
  if (set.mains.empty() && !set.main.empty()) fmt::print("  main    {}\n", printable(set.main));
  if (set.problem) fmt::print("  reason  {}\n", printable(set.problem->message()));
}

int run(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  const auto devices = devices_meant(arguments.devices, DevicesWanted::all_by_name);
  if (!devices) return report(devices.error(), arguments.json);
  const auto deadline = search_deadline(arguments.deadline);
  if (!deadline) return report(deadline.error(), arguments.json);
  const discovery::Discovery found = discover_sets(devices->paths, *runtime, *deadline);
  const auto incomplete = search_error(found.silent);
  if (arguments.json) {
    json sets = json::array();
    for (const auto& set : found.sets) sets.push_back(json_of(set));
    json others = json::array();
    for (const auto* errors : {&found.others, &found.silent}) {
      for (const Error& error : *errors) others.push_back(os::to_json(error));
    }
    print_json({{"sets", std::move(sets)}, {"others", std::move(others)}});
    return incomplete ? report(*incomplete, true) : kDone;
  }
  for (const auto& set : found.sets) {
    if (arguments.pairs) {
      print_pairs(set);
    } else {
      print_text(set);
    }
  }
  for (const Error& error : found.others) warn(error.message());
  if (found.sets.empty() && !arguments.pairs) fmt::print("no sets found\n");
  return incomplete ? report(*incomplete, false) : kDone;
}

manual::Prose prose() {
  return {.description = R"(
Looks for sets on the devices that are named, or on all block devices and where sets were last seen,
and tells for each which spare and which main belong together, and why, or why not. Writes nothing.

All devices are read at the same time. One that answers nothing for --deadline seconds, 15 if none are given, is
left out, named as such, and makes the exit code 1: a set, or a second copy of a spare, may lie on it. A disk
that sleeps or gives bad sectors up early answers by then; a failing one may take a minute.
)",
          .examples = {{"dmremap discover", "what this machine has"},
                       {"dmremap discover --pairs",
                        "a line of KEY=\"value\" for each set, for scripts"},
                       {"dmremap discover ./main.img ./spare.img", "images"}},
          .exits = {{0, "it is told, also if there is none; what cannot be read is named"},
                    {1, "failed: a set that is named is not here, or a device did not answer"},
                    {3, "refused: several devices hold a set that is named"}},
          .json =
              "sets[] with name, uuid, state, spare, main, spares[], mains[], problem or null; "
              "others[] "
              "that cannot be read",
          .see_also = {"assemble", "start", "examine"}};
}

}  // namespace

void add_discover(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "discover", "The sets on these devices, or on all, and why one is not whole; only looks");
  const auto arguments = std::make_shared<Arguments>();
  add_devices(verb, arguments->devices,
              "sets, block devices or images; none: every block device, and where sets were seen");
  add_search_deadline(verb, arguments->deadline);
  const manual::Option pairs = verb.add_flag(
      "--pairs", arguments->pairs, "a line of KEY=\"value\" a set, for scripts; \\xNN in them");
  verb.add_flag("--json", arguments->json, "JSON instead of text").excludes(pairs);
  verb.describe(prose());
  verb.when_given([&chosen, arguments] {
    chosen = [arguments] { return os::run_in_child([arguments] { return run(*arguments); }); };
  });
}

}  // namespace dmremap::cli
