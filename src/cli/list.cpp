// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/common/known_sets.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_names.hpp"
#include "cli/common/set_table.hpp"
#include "cli/common/verb.hpp"
#include "discovery/device_look.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

struct Arguments {
  bool all = false;
  TableForm form;
  bool no_headings = false;
  bool json = false;

  // The table is shown for the asking; the lines of `list` alone stay what they are.
  [[nodiscard]] bool wants_table() const {
    return all || no_headings || form.bytes || !form.columns.empty() || !form.ascending.empty() ||
           !form.descending.empty();
  }
};

// One object of `list --json`.
json json_of(const KnownSet& set) {
  const auto count = [&](auto get) { return set.report ? json(get(*set.report)) : json(); };
  json exports = json::array();
  if (set.report) exports = set.report->exports;
  return {
      {"name", set.name},
      {"uuid", set.uuid ? json(to_string(*set.uuid)) : json()},
      {"pid", set.pid ? json(*set.pid) : json()},
      {"state", set.state},
      {"conditions", set.conditions},
      {"reason", set.reason},
      {"needs_attention", set.needs_attention},
      {"exports", std::move(exports)},
      {"size_sectors", count([](const auto& one) { return one.size_sectors; })},
      {"lost_sectors", count([](const auto& one) { return one.lost_sectors; })},
      {"remapped_sectors", count([](const auto& one) { return one.remapped_sectors; })},
      {"spare_capacity_sectors", count([](const auto& one) { return one.spare_room().capacity; })},
      {"spare_free_sectors", count([](const auto& one) { return one.spare_room().free; })}};
}

// "degraded, spare-away"; of a set that does not answer, that its state is unknown.
std::string words_of(const KnownSet& set) {
  return set.conditions.empty() ? set.state : fmt::format("{}", fmt::join(set.conditions, ", "));
}

// Says where a set is served, and what is wrong with it.
std::string remarks_of(const KnownSet& set) {
  std::string out;
  for (const control::ExportReport& one :
       set.report ? set.report->exports : std::vector<control::ExportReport>()) {
    out += (out.empty() ? "" : " ") + printable(one.where);
  }
  if (!set.needs_attention) return out;
  return fmt::format("{}{}({})", out, out.empty() ? "" : " ", printable(set.reason));
}

// The names alone are known without asking a process or reading a device, so that a completion gets
// them at once.
std::vector<KnownSet> names_alone(const std::vector<NamedSet>& named) {
  std::vector<KnownSet> out;
  for (const NamedSet& one : named) {
    KnownSet& set = out.emplace_back();
    set.name = one.name;
    set.uuid = one.uuid;
    set.needs_attention = false;
  }
  return out;
}

std::vector<KnownSet> sets_of(const control::RuntimeDir& runtime, const Arguments& arguments) {
  const auto named = named_sets(runtime);
  const bool by_names = arguments.all && !arguments.json && !needs_reports(arguments.form);
  if (by_names) return names_alone(named);
  std::vector<KnownSet> out;
  if (arguments.all) {
    discovery::DeviceLook look;
    for (const NamedSet& one : named) out.push_back(known_set(runtime, one.name, look));
  } else {
    for (const std::string& name : runtime.names()) out.push_back(present_set(runtime, name));
  }
  return out;
}

void print_sets(const std::vector<KnownSet>& sets, const Arguments& arguments) {
  if (!arguments.wants_table()) {
    for (const KnownSet& set : sets) {
      fmt::print("{:<20} {:<10} {}\n", set.name, words_of(set), remarks_of(set));
    }
    return;
  }
  std::vector<TableRow> rows;
  rows.reserve(sets.size());
  const bool with_mounts = needs_mounts(arguments.form);
  for (const KnownSet& set : sets) {
    const bool wanted = with_mounts && set.report;
    rows.push_back({set, wanted ? mount_points_of(*set.report) : std::vector<std::string>()});
  }
  fmt::print("{}", print_table(std::move(rows), arguments.form));
}

int run(const Arguments& given) {
  Arguments arguments = given;
  arguments.form.headings = !arguments.no_headings;
  if (auto fine = check_form(arguments.form); !fine) return report(fine.error(), arguments.json);
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  const std::vector<KnownSet> sets = sets_of(*runtime, arguments);
  const auto told = tell_of_hidden(*runtime, sets.empty());
  if (!told) return report(told.error(), arguments.json);
  if (arguments.json) {
    json all = json::array();
    for (const KnownSet& set : sets) all.push_back(json_of(set));
    print_json({{"sets", std::move(all)}});
  } else {
    print_sets(sets, arguments);
  }
  return std::ranges::any_of(sets, &KnownSet::needs_attention) ? kAttention : kDone;
}

manual::Prose prose() {
  const std::string columns = fmt::format("{}", fmt::join(table_columns(), "`, `"));
  return {
      .description = R"(
One line for each set that runs here: name, state and conditions (`dmremap status` tells of them),
where it is served, and what is wrong with it. A set whose process died is listed as stopped and
died; `dmremap start` clears away what it left. Where another user's sets may run that nobody else may see,
it says so: "permission denied", and it fails (1) if there is nothing else to list.

With `-a` every set that this host made or served before, too, as a table: what is lost and remapped in
sectors of 512 bytes, how much of the spare is used, and where the set is served. Of a stopped set the
spare is read where it was last seen, and the disk is left asleep. `STATE` is that of a set that runs, or
`stopped`, `died`, or `incomplete`: main or the spare is not here. Sets that were never used on this host
are found by `dmremap discover`.

A script asks for what it needs: `-o` with names of columns and `--noheadings`, or `--json`. The columns
are `)" + columns + R"(`. What is not known is `-`.
)",
      .examples = {{"dmremap list", "what runs"},
                   {"dmremap list -a", "all that this host knows"},
                   {"dmremap list -a -S lost", "the set that lost most first"},
                   {"dmremap list -a --noheadings --bytes -o name,lost,free", "for scripts"},
                   {"dmremap list --json", "for scripts, too"}},
      .exits = {{0, "done, also when nothing runs"},
                {4,
                 "a set that is listed needs attention: it has a condition, its process died, a "
                 "device of it is not here, or it does not answer"}},
      .json =
          "sets[]{name, uuid, pid, state, conditions, reason, needs_attention, exports, "
          "size_sectors, lost_sectors, remapped_sectors, spare_capacity_sectors, "
          "spare_free_sectors}",
      .see_also = {"status", "start", "discover"}};
}

}  // namespace

void add_list(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("list", "The sets, one line each; exit status 4 if one needs attention");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_flag("-a,--all", arguments->all, "those that do not run, too, as a table");
  verb.add_option("-o,--output", arguments->form.columns,
                  "the columns of the table, with commas; with + before them beside the usual ones")
      .type_name("COLUMNS");
  verb.add_option("-s", arguments->form.ascending, "sort by this column, the least first")
      .type_name("COLUMN");
  verb.add_option("-S", arguments->form.descending, "sort by this column, the largest first")
      .type_name("COLUMN");
  verb.add_flag("--noheadings", arguments->no_headings, "leave out the names of the columns");
  verb.add_flag("--bytes", arguments->form.bytes, "sizes as bytes, without a unit");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
