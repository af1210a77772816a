// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>

#include <fmt/format.h>

#include "cli/common/disk_view.hpp"
#include "cli/common/known_bad_arguments.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/streams.hpp"
#include "cli/common/verb.hpp"
#include "control/messages.hpp"
#include "control/protocol.hpp"
#include "io/file_device.hpp"
#include "os/json_line.hpp"
#include "transfer/known_bad_file.hpp"

namespace dmremap::cli {

namespace {

struct Arguments {
  std::string name;
  std::string file;
  KnownBadArguments list;
  bool complete = false;
  bool dry_run = false;
  bool force = false;
  bool json = false;
};

int report_for(Error error, const Arguments& arguments) {
  if (error.where.empty()) error.where = arguments.name;
  return report(error, arguments.json);
}

// --- import ----------------------------------------------------------------------------------

// Main as the set has it; its physical block only where the list is rounded to it.
Result<io::Geometry> geometry_of(const control::SetReport& status, bool physical) {
  io::Geometry out{{status.size_sectors}, 512, 512};
  if (!physical) return out;
  const auto main =
      io::FileDevice::open(status.main.path, {io::Access::read_only, io::Holding::shared});
  if (!main) return failure_of(main);
  out.physical_block_bytes = (*main)->geometry().physical_block_bytes;
  return out;
}

Result<control::MarkRequest> mark_request(const transfer::KnownBadMarks& marks,
                                          const Arguments& arguments) {
  control::MarkRequest request{{marks.sectors.lost}, {marks.sectors.suspect}, arguments.dry_run};
  if (os::to_line(control::request_of(request)).size() >= control::kMaxRequestBytes) {
    return fail(ErrorCode::metadata_full,
                fmt::format("has {} areas, more than the table of a set can hold",
                            marks.sectors.lost.size() + marks.sectors.suspect.size()),
                arguments.file, "this disk should be replaced now: copy what can be read");
  }
  return request;
}

struct ImportResult {
  control::MarkReply marked;
  SectorCount left_out;  // sectors of the list that are not on main
};

Result<ImportResult> import(const Arguments& arguments) {
  auto source = parse(arguments.list);
  if (!source) return failure_of(source);
  source->path = input_path(arguments.file);
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  const auto status = running_status(*runtime, arguments.name);
  if (!status) return failure_of(status);
  const auto geometry = geometry_of(*status, source->round);
  if (!geometry) return failure_of(geometry);
  const auto marks = transfer::read_marks(*source, status->main.path, *geometry);
  if (!marks) return failure_of(marks);
  const auto request = mark_request(*marks, arguments);
  if (!request) return tl::unexpected(with_round_hint(request.error(), arguments.list, "--"));
  auto client = connect(*runtime, arguments.name);
  if (!client) return failure_of(client);
  auto answer = client->call(*request, kWorkTime);
  if (!answer) return tl::unexpected(with_round_hint(answer.error(), arguments.list, "--"));
  for (const std::string& text : marks->warnings) warn(text);
  return ImportResult{*answer, marks->left_out};
}

int run_import(const Arguments& arguments) {
  const auto done = import(arguments);
  if (!done) return report_for(done.error(), arguments);
  const control::MarkReply& marked = done->marked;
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"lost_sectors", marked.lost_sectors},
                {"suspect_sectors", marked.suspect_sectors},
                {"unchanged_sectors", marked.unchanged_sectors},
                {"left_out_sectors", done->left_out},
                {"dry_run", arguments.dry_run}});
  } else {
    fmt::print("{}{} sectors marked lost, {} suspect, {} left as they were\n",
               arguments.dry_run ? "would be: " : "", marked.lost_sectors.value,
               marked.suspect_sectors.value, marked.unchanged_sectors.value);
    if (done->left_out.value > 0) {
      fmt::print("{} sectors of the list are not on main: left out\n", done->left_out.value);
    }
  }
  return kDone;
}

// --- export ----------------------------------------------------------------------------------

// The form in which the list is written. Only two of the formats can be exported.
Result<transfer::KnownBadForm> export_form(const Arguments& arguments) {
  auto source = parse(arguments.list);
  if (!source) return failure_of(source);
  transfer::KnownBadForm form = std::move(source->form);
  form.format = form.format.value_or(transfer::KnownBadFormat::ddrescue);
  form.complete = arguments.complete;
  const bool mapfile = form.format == transfer::KnownBadFormat::ddrescue;
  if (!mapfile && form.format != transfer::KnownBadFormat::badblocks) {
    return fail(ErrorCode::usage, "is a format that is only read", arguments.list.format,
                "give ddrescue or badblocks");
  }
  if (form.complete && !mapfile) {
    return fail(ErrorCode::usage, "only a ddrescue mapfile can be complete", "--complete",
                "a badblocks list has nothing but what is bad");
  }
  return form;
}

int run_export(const Arguments& arguments) {
  const auto form = export_form(arguments);
  if (!form) return report_for(form.error(), arguments);
  if (auto fine = check_output(arguments.file, "FILE", arguments.json); !fine) {
    return report_for(fine.error(), arguments);
  }
  const auto map = disk_map_of(arguments.name);
  if (!map) return report_for(map.error(), arguments);
  const std::string text = transfer::print_known_bad(map->extents, map->size, *form);
  const auto written = is_stream(arguments.file)
                           ? write_output(arguments.file, text)
                           : transfer::write_known_bad(arguments.file, text, arguments.force);
  if (!written) return report_for(written.error(), arguments);
  std::uint64_t bad = 0;
  std::uint64_t suspect = 0;
  for (const format::Extent& extent : map->extents) {
    (extent.state() == format::State::suspect ? suspect : bad) += extent.main().count.value;
  }
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"file", arguments.file},
                {"format", transfer::name_of(*form->format)},
                {"bad_sectors", bad},
                {"suspect_sectors", suspect}});
  } else if (!is_stream(arguments.file) && !arguments.file.starts_with("/dev/")) {
    fmt::print("{} bad and {} suspect sectors written to {}\n", bad, suspect,
               printable(arguments.file));
  }
  return kDone;
}

void add_common(manual::Verb verb, Arguments& arguments, const char* file, const char* format,
                const char* formats) {
  add_set_name(verb, arguments.name, "the set").required();
  verb.add_option("FILE", arguments.file, file).required();
  verb.add_option("--format", arguments.list.format, format).type_name(formats);
  verb.add_option("--block-size", arguments.list.block_size,
                  "of a badblocks list, as its -b (1024); K, M")
      .type_name("SIZE");
  verb.add_flag("--json", arguments.json, "JSON instead of text");
}

manual::Prose prose() {
  return {
      .description = R"(
Lists of bad sectors from and for other programs. `import` marks what a list says is bad as lost,
so that it fails at once, and what it doubts as suspect; what is remapped, lost or gone stays as it
is. It takes a ddrescue mapfile, a badblocks list, the bad_blocks file of a member of Linux software
RAID (md), and the log of the kernel: there a medium error of a read means lost, any other read or
write error suspect. A list of a partition of main takes --partition or --offset, and so does a list
of the whole disk where main is a partition.

`export` writes what is bad on main, of a running or stopped set; ddrescue goes on from it. With
--complete all else counts as rescued, for programs that read a mapfile to know what can be read,
such as nbdkit with its ddrescue filter. A mapfile that another program wrote holds the progress of
a rescue and is overwritten only with --force.
)",
      .examples = {{"dmremap bad import backup rescue.map --dry-run", "count what would change"},
                   {"dmremap bad import backup list --format badblocks --block-size 4096",
                    "a list of badblocks -b 4096"},
                   {"dmremap bad import backup /sys/block/md0/md/dev-sdb1/bad_blocks --partition "
                    "/dev/sdb1",
                    "what md knows of a member, which is a partition of main"},
                   {"journalctl -k > log; dmremap bad import backup log --device sdb",
                    "what the kernel met when main was called sdb"},
                   {"dmremap bad export backup out.map",
                    "then: ddrescue -d /dev/sdb rescued.img out.map"}},
      .exits = {{0, "done"},
                {1, "failed: no such set, the list cannot be read or written, the table is full"},
                {3,
                 "refused: the file holds the progress of a rescue, or several devices hold a set "
                 "of that name"}},
      .json =
          "import: name, lost_sectors, suspect_sectors, unchanged_sectors, left_out_sectors, "
          "dry_run; "
          "export: name, file, format, bad_sectors, suspect_sectors",
      .see_also = {"create", "unremap", "ddrescue(1)", "badblocks(8)"}};
}

}  // namespace

void add_bad(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb("bad", "Exchange lists of known-bad sectors with other tools");
  verb.require_verb();
  verb.describe(prose());

  const auto import = std::make_shared<Arguments>();
  manual::Verb importing = verb.add_verb(
      "import", "Mark what a list says is bad as lost, and what it doubts as suspect");
  add_common(importing, *import, "the list", "of the list; else its text shows",
             "ddrescue|badblocks|md|kernel");
  add_list_options(importing, import->list, "--");
  importing.add_flag("--dry-run", import->dry_run, "say what would change, change nothing");
  importing.when_given([&chosen, import] { chosen = [import] { return run_import(*import); }; });

  const auto exported = std::make_shared<Arguments>();
  manual::Verb exporting = verb.add_verb(
      "export", "Write the sectors that are bad on main as a list; ddrescue goes on from it");
  add_common(exporting, *exported, "where to", "of the list (ddrescue)", "ddrescue|badblocks");
  exporting.add_flag("--complete", exported->complete,
                     "in a mapfile: what is not bad, suspect sectors too, counts as finished (+)");
  exporting.add_flag("--force", exported->force, "overwrite the mapfile of a rescue");
  exporting.when_given(
      [&chosen, exported] { chosen = [exported] { return run_export(*exported); }; });
}

}  // namespace dmremap::cli
