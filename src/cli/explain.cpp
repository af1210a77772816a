// SPDX-License-Identifier: GPL-2.0-or-later
#include <filesystem>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/parse.hpp"
#include "base/size_text.hpp"
#include "base/time_text.hpp"
#include "cli/common/disk_view.hpp"
#include "cli/common/known_sets.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"
#include "files/file_walk.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;
using table::Place;
using view::Explanation;

struct Arguments {
  std::string name;
  std::string sector;
  std::string file;
  bool json = false;
};

// A file of a mounted file system, and which parts of it lie on sectors that are not good.
struct FileReport {
  DiskView disk;
  files::BadFile file;
};

struct SectorReport {
  DiskView disk;
  Sector sector;
  Explanation what;
};

// The mount point below which a file lies, of those of the set.
Result<std::string> mount_point_over(const std::string& path, const control::SetReport& set) {
  std::string best;
  for (const std::string& point : mount_points_of(set)) {
    const bool below = path == point || path.starts_with(point == "/" ? point : point + "/");
    if (below && point.size() > best.size()) best = point;
  }
  if (!best.empty()) return best;
  return fail(ErrorCode::usage, "is on no mounted file system of the set " + set.name, path,
              "mount it and name the file there; `dmremap list -o name,mounted` says where it is");
}

Result<FileReport> explain_file(const Arguments& arguments) {
  auto disk = view_of(arguments.name);
  if (!disk) return failure_of(disk);
  // A link is followed: the file that it leads to is the one with data.
  std::error_code error;
  const std::string path = std::filesystem::canonical(arguments.file, error);
  if (error) return fail_errno(error.value(), "find the file", arguments.file);
  const auto mount_point = mount_point_over(path, disk->status);
  if (!mount_point) return failure_of(mount_point);
  std::vector<std::string> exports;
  for (const control::ExportReport& one : disk->status.exports) exports.push_back(one.where);
  const auto location = files::locate_file_system(*mount_point, exports, disk->map.size);
  if (!location) return failure_of(location);
  auto file = files::find_bad_ranges(*location, disk->map.extents, path);
  if (!file) return failure_of(file);
  return FileReport{std::move(*disk), std::move(*file)};
}

Result<SectorReport> explain(const Arguments& arguments) {
  const auto sector = parse_sector(arguments.sector);
  if (!sector) return failure_of(sector);
  auto disk = view_of(arguments.name);
  if (!disk) return failure_of(disk);
  if (sector->value >= disk->map.size.value) {
    return fail(ErrorCode::usage,
                fmt::format("sector {} is beyond the device, which has {} sectors", sector->value,
                            disk->map.size.value),
                arguments.name, "sectors are counted from 0, 512 bytes each");
  }
  view::Situation situation = situation_of(*disk);
  for (const remap::FailingPlace& place : disk->map.failing) {
    if (place.main.contains(*sector)) situation.failing = place.error;
  }
  Explanation what = view::explain(disk->map.extents, disk->map.size, *sector, situation);
  return SectorReport{std::move(*disk), *sector, std::move(what)};
}

const char* place_name(Place place) {
  return place == Place::main ? "main" : place == Place::spare ? "spare" : "nowhere";
}

std::string path_of(const SectorReport& one) {
  return one.what.place == Place::spare ? one.disk.spare_path() : one.disk.status.main.path;
}

json where_json(const SectorReport& one) {
  json out{{"device", place_name(one.what.place)}, {"path", nullptr}, {"sector", nullptr}};
  if (one.what.place == Place::nowhere) return out;
  out["path"] = path_of(one);
  out["sector"] = one.what.at().value;
  return out;
}

json evidence_json(const view::Evidence& evidence) {
  const bool by_error = evidence.cause != 0;
  return {{"errno", by_error ? json(view::errno_name(evidence.cause)) : json()},
          {"errno_number", evidence.cause},
          {"sequence", evidence.sequence},
          {"time", format_time(evidence.time_ns)}};
}

// `way`: "from" of a read, "to" of a write.
json answer_json(const char* way, const view::RequestAnswer& answer) {
  return {{way, view::name_of(answer.target)}, {"text", answer.text}};
}

void print(const SectorReport& one) {
  const SectorRange extent = one.what.extent;
  json out{{"name", one.disk.status.name},
           {"uuid", to_string(one.disk.status.uuid)},
           {"running", one.disk.running},
           {"doubtful", one.disk.status.doubtful},
           {"conditions", one.disk.status.conditions},
           {"sector", one.sector.value},
           {"state", format::name_of(one.what.state)},
           {"failing", one.what.failing != 0 ? json(view::errno_name(one.what.failing)) : json()},
           {"extent", {{"sector", extent.first.value}, {"count", extent.count.value}}},
           {"where", where_json(one)},
           {"evidence", one.what.evidence ? evidence_json(*one.what.evidence) : json()},
           {"read", answer_json("from", one.what.read)},
           {"write", answer_json("to", one.what.write)}};
  print_json(std::move(out));
}

std::string where_text(const SectorReport& one) {
  if (one.what.place == Place::nowhere) return "nowhere";
  return fmt::format("{} {}, sector {}", place_name(one.what.place), printable(path_of(one)),
                     one.what.at().value);
}

void print_text(const SectorReport& one) {
  const SectorRange extent = one.what.extent;
  fmt::print("{} sector {}: {}\n", one.disk.status.name, one.sector.value,
             one.what.failing != 0 ? "remapped, failing" : format::name_of(one.what.state));
  if (one.disk.status.doubtful) {
    fmt::print("  doubtful   a later commit may be hidden that says otherwise\n");
  }
  fmt::print("  data       {}\n", where_text(one));
  fmt::print("  extent     {} from sector {}\n", counted(extent.count.value, "sector"),
             extent.first.value);
  if (one.what.evidence) {
    const view::Evidence& evidence = *one.what.evidence;
    fmt::print("  bound by   commit {}, {}\n", evidence.sequence,
               local_time_text(evidence.time_ns));
    fmt::print("  because    {}\n", evidence.cause == 0
                                        ? "by hand, or a list said so"
                                        : fmt::format("of {}", view::errno_name(evidence.cause)));
  }
  fmt::print("  set        {}\n", fmt::join(one.disk.status.conditions, ", "));
  const char* when = one.disk.running ? "" : "once it is started: ";
  fmt::print("  a read     {}{}\n", when, one.what.read.text);
  fmt::print("  a write    {}{}\n", when, one.what.write.text);
}

json range_json(const files::BadRange& range) {
  return {{"offset", range.range.begin},
          {"length", range.range.length},
          {"state", format::name_of(range.state)},
          {"sector", range.sector.value},
          {"sectors", range.sectors},
          {"unwritten", range.unwritten}};
}

int run_file(const Arguments& arguments) {
  const auto found = explain_file(arguments);
  if (!found) {
    Error error = found.error();
    if (error.where.empty()) error.where = arguments.name;
    return report(error, arguments.json);
  }
  const control::SetReport& set = found->disk.status;
  const std::vector<files::BadRange>& ranges = found->file.ranges;
  if (arguments.json) {
    json out{{"name", set.name},
             {"uuid", to_string(set.uuid)},
             {"file", found->file.path},
             {"ranges", json::array()}};
    for (const files::BadRange& range : ranges) out["ranges"].push_back(range_json(range));
    print_json(std::move(out));
    return kDone;
  }
  fmt::print("{}: {}\n", printable(found->file.path),
             ranges.empty() ? std::string("no sector of it is lost, gone or suspect")
                            : counted(ranges.size(), "part") + " on bad sectors");
  for (const files::BadRange& range : ranges) {
    fmt::print("  bytes {} to {}: {}, sector {}+{}{}\n", range.range.begin, range.range.end() - 1,
               format::name_of(range.state), range.sector.value, range.sectors,
               range.unwritten ? " (preallocated: reads as zeros, nothing was there)" : "");
  }
  if (!ranges.empty()) {
    fmt::print("`dmremap explain {} {}` tells why\n", set.name, ranges.front().sector.value);
  }
  return kDone;
}

int run(const Arguments& arguments) {
  if (arguments.file.empty() == arguments.sector.empty()) {
    return report(Error{ErrorCode::usage, "give either a sector or --file", arguments.name,
                        "see `dmremap explain --help`"},
                  arguments.json);
  }
  if (!arguments.file.empty()) return run_file(arguments);
  const auto one = explain(arguments);
  if (!one) {
    Error error = one.error();
    if (error.where.empty()) error.where = arguments.name;
    return report(error, arguments.json);
  }
  if (arguments.json) {
    print(*one);
  } else {
    print_text(*one);
  }
  return kDone;
}

manual::Prose prose() {
  return {
      .description = R"(
Tells of one sector what state it is in, where its data is now, which extent it belongs to, which
commit said so and because of what error, and what a read and a write of it would do at this moment.
Reads only; the set may run or not.

With --file it tells which parts of a file on the mounted set lie on sectors that are lost, gone or
suspect.
)",
      .examples = {{"dmremap explain backup 2048", "sector 2048 of the set `backup`"},
                   {"dmremap explain backup 1MiB --json", "the same sector, for a script"},
                   {"dmremap explain backup --file /mnt/letter.txt", "which bytes of it are lost"}},
      .exits = {{0, "it is told"},
                {1, "failed: no such set is here, or its answer does not come"},
                {3, "refused: two devices hold the set"}},
      .json =
          "name, uuid, running, doubtful, conditions, sector, state, failing (the errno of its "
          "place on the spare, or null), extent, where, evidence or null, read, write; with --file "
          "name, uuid, file, ranges[]{offset, length, state, sector, sectors, unwritten}",
      .see_also = {"status", "map", "files"}};
}

}  // namespace

void add_explain(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "explain",
      "One sector: its state, where its data is, why, and what a request to it would do");
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set").required();
  verb.add_option(
      "SECTOR", arguments->sector,
      "of the device, counted from 0, 512 bytes each; or bytes with a unit, such as 1GiB");
  verb.add_option("--file", arguments->file, "which parts of this file lie on bad sectors")
      .type_name("FILE");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
