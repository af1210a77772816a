// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>

#include <fmt/format.h>

#include "cli/disk_view.hpp"
#include "cli/known_bad_arguments.hpp"
#include "cli/lookup.hpp"
#include "cli/output.hpp"
#include "cli/verb.hpp"
#include "control/protocol.hpp"
#include "control/server.hpp"
#include "control/table_json.hpp"
#include "set/known_bad_file.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

struct Arguments {
  std::string name;
  std::string file;
  KnownBadArguments form;
  bool dry_run = false;
  bool force = false;
  bool json = false;
};

int report_for(Error error, const Arguments& arguments) {
  if (error.where.empty()) error.where = arguments.name;
  return report(error, arguments.json);
}

// --- import ----------------------------------------------------------------------------------

Result<json> make_mark_request(const Arguments& arguments) {
  const auto form = parse(arguments.form);
  if (!form) return tl::unexpected(form.error());
  const auto list = set::read_known_bad(arguments.file, *form);
  if (!list) return tl::unexpected(list.error());
  // In order and joined, for a disk of any size: the set knows its own.
  const auto sorted = remap::fit_to_main(*list, {{kAddressLimitSectors}, 512, 512});
  if (!sorted) return tl::unexpected(sorted.error());
  json request = control::make_request("mark");
  request["lost"] = control::to_json(sorted->lost);
  request["suspect"] = control::to_json(sorted->suspect);
  request["dry_run"] = arguments.dry_run;
  if (control::to_line(request).size() >= control::kMaxRequestBytes) {
    return fail(ErrorCode::metadata_full,
                fmt::format("has {} areas, more than the table of a set can hold",
                            sorted->lost.size() + sorted->suspect.size()),
                arguments.file, "this disk should be replaced now: copy what can be read");
  }
  return request;
}

Result<json> import(const Arguments& arguments) {
  const auto request = make_mark_request(arguments);
  if (!request) return tl::unexpected(request.error());
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return tl::unexpected(runtime.error());
  auto client = connect(*runtime, arguments.name);
  if (!client) return tl::unexpected(client.error());
  return client->call(*request, kWorkTime);
}

int run_import(const Arguments& arguments) {
  const auto done = import(arguments);
  if (!done) return report_for(done.error(), arguments);
  const auto sectors = [&](const char* field) { return done->value(field, std::uint64_t{0}); };
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"lost_sectors", sectors("lost_sectors")},
                {"suspect_sectors", sectors("suspect_sectors")},
                {"unchanged_sectors", sectors("unchanged_sectors")},
                {"dry_run", arguments.dry_run}});
  } else {
    fmt::print("{}{} sectors marked lost, {} suspect, {} left as they were\n",
               arguments.dry_run ? "would be: " : "", sectors("lost_sectors"),
               sectors("suspect_sectors"), sectors("unchanged_sectors"));
  }
  return kDone;
}

// --- export ----------------------------------------------------------------------------------

int run_export(const Arguments& arguments) {
  const auto form = parse(arguments.form);
  if (!form) return report_for(form.error(), arguments);
  const auto map = disk_map_of(arguments.name);
  if (!map) return report_for(map.error(), arguments);
  const auto format = form->format.value_or(set::KnownBadFormat::ddrescue);
  const std::string text = set::print_known_bad(map->extents, map->size, *form);
  if (auto written = set::write_known_bad(arguments.file, text, arguments.force); !written) {
    return report_for(written.error(), arguments);
  }
  std::uint64_t bad = 0;
  std::uint64_t suspect = 0;
  for (const format::Extent& extent : map->extents) {
    (extent.state() == format::State::suspect ? suspect : bad) += extent.main().count.value;
  }
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"file", arguments.file},
                {"format", set::name_of(format)},
                {"bad_sectors", bad},
                {"suspect_sectors", suspect}});
  } else if (!arguments.file.starts_with("/dev/")) {
    fmt::print("{} bad and {} suspect sectors written to {}\n", bad, suspect,
               printable(arguments.file));
  }
  return kDone;
}

void add_common(CLI::App& verb, Arguments& arguments, const char* file, const char* format) {
  verb.add_option("NAME", arguments.name, "the set")->required();
  verb.add_option("FILE", arguments.file, file)->required();
  verb.add_option("--format", arguments.form.format, format)->type_name("ddrescue|badblocks");
  verb.add_option("--block-size", arguments.form.block_size,
                  "of a badblocks list, as its -b (1024); KiB, MiB")
      ->type_name("SIZE");
  verb.add_flag("--json", arguments.json, "JSON instead of text");
}

manual::Prose prose() {
  return {
      .description = R"(
Lists of bad sectors from and for ddrescue and badblocks. `import` marks what a list says is bad
as lost, so that it fails at once, and what it doubts as suspect; what is remapped, lost or gone
stays as it is. `export` writes what is bad on main, of a running or stopped set; ddrescue goes on
from it.

A mapfile that another program wrote holds the progress of a rescue and is overwritten only with
--force.
)",
      .examples = {{"dmremap bad import backup rescue.map --dry-run", "count what would change"},
                   {"dmremap bad import backup list --format badblocks --block-size 4096",
                    "a list of badblocks -b 4096"},
                   {"dmremap bad export backup out.map",
                    "then: ddrescue -d /dev/sdb rescued.img out.map"}},
      .exits = {{0, "done"},
                {1, "failed: no such set, the list cannot be read or written, the table is full"},
                {3,
                 "refused: the file holds the progress of a rescue, or several devices hold a set "
                 "of that name"}},
      .json =
          "import: name, lost_sectors, suspect_sectors, unchanged_sectors, dry_run; "
          "export: name, file, format, bad_sectors, suspect_sectors",
      .see_also = {"create", "unremap", "ddrescue(1)", "badblocks(8)"}};
}

}  // namespace

void add_bad(CLI::App& app, Chosen& chosen) {
  CLI::App* verb =
      app.add_subcommand("bad", "Exchange lists of known-bad sectors with other tools");
  verb->require_subcommand(1);
  manual::describe(*verb, prose());

  const auto import = std::make_shared<Arguments>();
  CLI::App* importing = verb->add_subcommand(
      "import", "Mark what a list says is bad as lost, and what it doubts as suspect");
  add_common(*importing, *import, "a ddrescue mapfile or a badblocks list",
             "of the list; else its first line shows");
  importing->add_flag("--dry-run", import->dry_run, "say what would change, change nothing");
  importing->callback([&chosen, import] { chosen = [import] { return run_import(*import); }; });

  const auto exported = std::make_shared<Arguments>();
  CLI::App* exporting = verb->add_subcommand(
      "export", "Write the sectors that are bad on main as a list; ddrescue goes on from it");
  add_common(*exporting, *exported, "where to", "of the list (ddrescue)");
  exporting->add_flag("--force", exported->force, "overwrite the mapfile of a rescue");
  exporting->callback(
      [&chosen, exported] { chosen = [exported] { return run_export(*exported); }; });
}

}  // namespace dmremap::cli
