// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/redraw.hpp"
#include "cli/common/verb.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

struct Arguments {
  std::string name;
  bool watch = false;
  bool json = false;
};

Result<control::SetReport> status_of(const control::RuntimeDir& runtime, const std::string& name) {
  if (is_running(runtime, name)) return running_status(runtime, name);
  const auto spare = stopped_set(runtime, name);
  if (!spare) return failure_of(spare);
  return stopped_report(runtime, *spare);
}

void print_devices(const control::SetReport& set) {
  for (const control::ExportReport& one : set.exports) {
    const std::string stable = printable(one.stable.value_or(std::string()));
    const std::string where = printable(one.where);
    fmt::print("  {:<10} {}{}\n", printable(one.kind), where,
               stable.empty() || stable == where ? "" : " (" + stable + ")");
  }
  fmt::print("  main       {}, {}, {} read and {} write errors\n", printable(set.main.path),
             human_size(set.size_sectors), set.main.read_errors, set.main.write_errors);
  for (const control::SpareReport& spare : set.spares) {
    fmt::print("  spare      {}, {} of {} free, {} sectors retired\n", printable(spare.path),
               human_size(spare.free_sectors), human_size(spare.capacity_sectors),
               spare.retired_sectors);
  }
}

// The verdict, with what it rests on: the heaviest reason beside it, the others below.
void print_health(const control::HealthReport& health) {
  std::string_view label = "disk";
  std::string word = health.verdict + ": ";
  for (const control::HealthReasonReport& reason : health.reasons) {
    fmt::print("  {:<10} {}{}\n", std::exchange(label, {}), std::exchange(word, {}),
               printable(reason.text));
  }
  if (health.risk.low_of_100) fmt::print("  risk       {}\n", printable(health.risk.text));
  for (const control::ForecastReport& forecast : health.forecasts) {
    // Without growth it says how long nobody has seen any: not before there is something to say.
    if (forecast.high_days) fmt::print("  forecast   {}\n", printable(forecast.text));
  }
  if (health.smart && !health.smart->advice.empty()) {
    fmt::print("  drive      {}\n", printable(health.smart->advice));
  }
}

// What is left to do where the spare or the table is full, or nearly.
void print_ways_out(const control::SetReport& set) {
  const auto has = [&set](const char* condition) { return set.has_condition(condition); };
  if (!has("spare-full") && !has("spare-low") && !has("table-full") && !has("table-low")) return;
  const std::string name = printable(set.name);
  fmt::print("  room       copy the disk now: dmremap copy {} TARGET\n", name);
  fmt::print("             if main takes writes again: dmremap unremap {} --all\n", name);
}

void print_text(const control::SetReport& set) {
  const std::string reason = printable(set.reason);
  fmt::print("{}: {}{}\n", printable(set.name), fmt::join(set.conditions, ", "),
             reason.empty() ? "" : " (" + reason + ")");
  if (set.health) print_health(*set.health);
  if (set.doubtful) {
    fmt::print("  doubtful   what is served may be older than what was last written\n");
  }
  fmt::print("  uuid       {}\n", to_string(set.uuid));
  if (set.pid) fmt::print("  process    {}\n", *set.pid);
  print_devices(set);
  fmt::print("  sectors    {} remapped, {} lost, {} suspect\n", set.remapped_sectors,
             set.lost_sectors, set.suspect_sectors);
  fmt::print("  metadata   {} of {} copies good, commit {}\n", set.copies.good, set.copies.total,
             set.sequence);
  fmt::print("  requests   {} reads ({} of them remapped), {} writes ({}), {} flushes\n",
             set.io.reads, set.io.remapped_reads, set.io.writes, set.io.remapped_writes,
             set.io.flushes);
  print_ways_out(set);
  if (set.scrub) {
    const control::ScrubReport& scrub = *set.scrub;
    const std::uint64_t size = std::max<std::uint64_t>(1, set.size_sectors);
    fmt::print("  scan       {}, {} % of the pass read, passes complete: {}\n", scrub.state,
               100 * scrub.scanned_sectors.value / size, scrub.passes);
  }
}

int exit_code(const control::SetReport& set) {
  return set.needs_attention ? kAttention : kDone;
}

int run_all(const control::RuntimeDir& runtime, bool as_json) {
  const std::vector<std::string> names = runtime.names();
  const auto visible = check_visible(runtime);
  if (names.empty() && !visible) return report(visible.error(), as_json);
  if (!visible) warn(visible.error().message());
  json all = json::array();
  int exit = kDone;
  for (const std::string& name : names) {
    const auto status = status_of(runtime, name);
    if (!status) {
      // One set that does not answer must not hide the others.
      exit = std::max(exit, report(status.error(), as_json));
      continue;
    }
    exit = std::max(exit, exit_code(*status));
    if (as_json) {
      all.push_back(*status);
    } else {
      print_text(*status);
    }
  }
  if (as_json) fmt::print("{}\n", all.dump(2, ' ', false, json::error_handler_t::replace));
  return exit;
}

int run_once(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  if (arguments.name.empty()) return run_all(*runtime, arguments.json);
  const auto status = status_of(*runtime, arguments.name);
  if (!status) return report(status.error(), arguments.json);
  if (arguments.json) {
    print_json(*status);
  } else {
    print_text(*status);
  }
  return exit_code(*status);
}

int run(const Arguments& arguments) {
  if (!arguments.watch) return run_once(arguments);
  return redraw("status", [&arguments] { return run_once(arguments); });
}

constexpr const char* kConditions = R"(
The state is the worst of these: `healthy`, `degraded` (metadata copies are damaged, or another
condition holds), `read-only`, `tripped` (main is not to be trusted, and nothing is asked of it) and
`stopped`. The other conditions:

`data-lost`: sectors are lost or gone. They read as errors until they are written or filled.

`spare-away`: no request gets through to the spare. `spare-refuses`: it reads, but takes no writes. A
new bad sector cannot be saved meanwhile.

`spare-low`, `spare-full`: 80 % of the spare, or all of it, is used. `table-low`, `table-full`: 90 % of
the table in the metadata, or all of it, is used.

`main-missing`: main is not there. `main-read-only`: main reads and takes no writes; what is written
anew goes to the spare while there is room.

`device-resized`: a device has another size than when the set was started.

`died`: the process that served the set ended without a stop.

Each is an event, too, when it comes and when it goes: `dmremap events`.
)";

constexpr const char* kVerdict = R"(
What the set saw of its disk, and what the drive says of itself, come to one word: `good`, `watch` (look
again, and have a backup), `replace-soon`, `replace-now`, or `unknown` while too little is known. The
reasons stand beside it with their numbers, the heaviest first. There is never a date: tables say how
many of 100 such disks fail within a year, and growth says how long the spare will last.

The drive is asked once a day, through `smartctl` if that is there; a drive that sleeps is not woken.
What the set saw itself outweighs what the drive says. A verdict is no condition: it does not change
the exit status.
)";

manual::Prose prose() {
  return {
      .description = R"(
The state of a set, running or stopped: its devices and their errors, how many sectors are remapped,
lost and suspect, how much of the spare is free, how many of the metadata copies are good. Without
NAME, all sets that run.

The first line names the state and each condition that holds, and tells in words why. Whatever holds
besides `stopped` needs attention, and only a set without any is called healthy. Remapped sectors
alone need no attention: that is what the set is for.
)",
      .examples = {{"dmremap status backup", "for people"},
                   {"dmremap status --watch", "all that run, as they change"},
                   {"dmremap status backup --json", "for monitoring; the exit status says enough"}},
      .exits = {{0, "all is well"},
                {1, "failed: no such set, or sets that this user may not see"},
                {3, "refused: several devices hold a set of that name"},
                {4,
                 "something needs attention: any condition but `stopped` holds, or what is served "
                 "is doubtful"}},
      .json = "the set as an object; without NAME an array of them",
      .see_also = {"events", "check", "examine"},
      .sections = {{"CONDITIONS", kConditions}, {"THE DISK", kVerdict}}};
}

}  // namespace

void add_status(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "status", "A set in full, or all that run; exit status 4 if something needs attention");
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set");
  manual::Option json_flag = verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.add_flag("--watch", arguments->watch, "on a terminal: shown anew every 2 s, until Ctrl-C")
      .excludes(json_flag);
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
