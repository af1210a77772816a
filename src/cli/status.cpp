// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/size_text.hpp"
#include "cli/common/attention.hpp"
#include "cli/common/known_sets.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/redraw.hpp"
#include "cli/common/set_names.hpp"
#include "cli/common/set_table.hpp"
#include "cli/common/verb.hpp"
#include "discovery/device_look.hpp"
#include "manual/words.hpp"
#include "set/spare_growth.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

// Where the values of a set in full begin.
constexpr std::size_t kValueColumn = 13;

struct Arguments {
  std::vector<std::string> names;
  bool all = false;
  bool watch = false;
  bool json = false;
};

Result<control::SetReport> status_of(const control::RuntimeDir& runtime, const std::string& name,
                                     discovery::DeviceLook& look) {
  if (is_running(runtime, name)) return running_status(runtime, name);
  const auto spare = stopped_set(runtime, name, look);
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
             size_text({set.size_sectors}), set.main.read_errors, set.main.write_errors);
  for (const control::SpareReport& spare : set.spares) {
    fmt::print("  spare      {}, {} used, {} free of {}, {} sectors retired\n",
               printable(spare.path), size_text({spare.room().used()}),
               size_text({spare.free_sectors}), size_text({spare.capacity_sectors}),
               spare.retired_sectors);
    const std::string note = set::unused_room_note(set.name, {spare.growable_sectors});
    if (!note.empty()) {
      fmt::print("  note       {}\n",
                 manual::filled(printable(note), kValueColumn, manual::kHelpColumns));
    }
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
  if (set.scrub) {
    const control::ScrubReport& scrub = *set.scrub;
    const std::uint64_t size = std::max<std::uint64_t>(1, set.size_sectors);
    fmt::print("  scan       {}, {} % of the pass read, passes complete: {}\n", scrub.state,
               100 * scrub.scanned_sectors.value / size, scrub.passes);
  }
  for (const std::string& action : actions_for(known_by(set))) {
    fmt::print("  action     {}\n",
               manual::filled(printable(action), kValueColumn, manual::kHelpColumns));
  }
}

int exit_code(const control::SetReport& set) {
  return set.needs_attention ? kAttention : kDone;
}

// The object of a set, with what its spares have in use beside what is free.
json json_of(const control::SetReport& set) {
  json out = set;
  for (std::size_t i = 0; i < set.spares.size(); ++i) {
    out["spares"][i]["used_sectors"] = set.spares[i].room().used();
  }
  return out;
}

void print_json_array(const json& all) {
  fmt::print("{}\n", all.dump(2, ' ', false, json::error_handler_t::replace));
}

// Several sets in full. One that does not answer must not hide the others.
int run_several(const control::RuntimeDir& runtime, const std::vector<std::string>& names,
                bool as_json) {
  json all = json::array();
  int exit = kDone;
  discovery::DeviceLook look;
  for (const std::string& name : names) {
    const auto status = status_of(runtime, name, look);
    if (!status) {
      exit = std::max(exit, report(status.error(), as_json));
      continue;
    }
    exit = std::max(exit, exit_code(*status));
    if (as_json) {
      all.push_back(json_of(*status));
    } else {
      print_text(*status);
    }
  }
  if (as_json) print_json_array(all);
  return exit;
}

// All sets that this host knows as a table, and below it what needs attention.
int run_table(const control::RuntimeDir& runtime) {
  std::vector<TableRow> rows;
  discovery::DeviceLook look;
  for (const NamedSet& one : named_sets(runtime)) {
    rows.push_back({known_set(runtime, one.name, look), {}});
  }
  const auto told = tell_of_hidden(runtime, rows.empty());
  if (!told) return report(told.error(), false);
  if (rows.empty()) {
    fmt::print("no sets are known here; `dmremap discover` looks for them on all disks\n");
    return kDone;
  }
  fmt::print("{}", print_table(rows, {}));
  int exit = kDone;
  for (const TableRow& row : rows) {
    if (!row.set.needs_attention) continue;
    exit = kAttention;
    fmt::print("\n{}", attention_text(row.set));
  }
  return exit;
}

std::vector<std::string> names_of_all(const control::RuntimeDir& runtime) {
  std::vector<std::string> out;
  for (const NamedSet& one : named_sets(runtime)) out.push_back(one.name);
  return out;
}

int run_once(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  if (arguments.all || (arguments.names.empty() && arguments.json)) {
    const auto names = arguments.all ? names_of_all(*runtime) : runtime->names();
    const auto told = tell_of_hidden(*runtime, names.empty());
    return told ? run_several(*runtime, names, arguments.json)
                : report(told.error(), arguments.json);
  }
  if (arguments.names.empty()) return run_table(*runtime);
  if (arguments.names.size() > 1) return run_several(*runtime, arguments.names, arguments.json);
  discovery::DeviceLook look;
  const auto status = status_of(*runtime, arguments.names.front(), look);
  if (!status) return report(status.error(), arguments.json);
  if (arguments.json) {
    print_json(json_of(*status));
  } else {
    print_text(*status);
  }
  return exit_code(*status);
}

int run(const Arguments& arguments) {
  if (!arguments.watch) return run_once(arguments);
  return redraw("status", [&arguments] { return run_once(arguments); });
}

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
lost and suspect, how much of the spare is used and free, how many of the metadata copies are good. Of
several sets, one after the other; with --all of all that this host knows.

Without NAME there is the table of `dmremap list -a`, and below it for each set that needs attention in
words what is wrong and what to do. With --json and without NAME it is the sets that run, in full.

The first line names the state and each condition that holds, and tells in words why; dmremap(7) explains
each of these words. Whatever holds besides `stopped` needs attention, and only a set without any is called
healthy. Remapped sectors alone need no attention: that is what the set is for. Nor does a spare that is
longer than what the set uses: a note says how to take that over.
)",
      .examples = {{"dmremap status", "every set, and what to do about those that need it"},
                   {"dmremap status backup", "one in full"},
                   {"dmremap status --watch", "every set, as it changes"},
                   {"dmremap status backup --json", "for monitoring; the exit status says enough"}},
      .exits = {{0, "all is well"},
                {1, "failed: no such set, or sets that this user may not see"},
                {3, "refused: several devices hold a set of that name"},
                {4,
                 "something needs attention: any condition but `stopped` holds, or what is served "
                 "is doubtful"}},
      .json = "the set as an object; without NAME, of several and with --all an array of them",
      .see_also = {"list", "events", "check", "examine", "dmremap(7)"},
      .sections = {{"THE DISK", kVerdict}}};
}

}  // namespace

void add_status(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "status", "How the sets are, and what to do; exit status 4 if one needs attention");
  const auto arguments = std::make_shared<Arguments>();
  const manual::Option names =
      add_set_names(verb, arguments->names, "the sets; without, a table of all");
  verb.add_flag("-a,--all", arguments->all, "all that this host knows, in full").excludes(names);
  manual::Option json_flag = verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.add_flag("--watch", arguments->watch, "on a terminal: shown anew every 2 s, until Ctrl-C")
      .excludes(json_flag);
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
