// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/parse.hpp"
#include "cli/common/disk_view.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;
using table::Place;
using view::Explanation;

struct Arguments {
  std::string name;
  std::string sector;
  bool json = false;
};

struct SectorReport {
  DiskView disk;
  Sector sector;
  Explanation what;
};

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
    fmt::print("  bound by   commit {}, {}\n", evidence.sequence, format_time(evidence.time_ns));
    fmt::print("  because    {}\n", evidence.cause == 0
                                        ? "by hand, or a list said so"
                                        : fmt::format("of {}", view::errno_name(evidence.cause)));
  }
  fmt::print("  set        {}\n", fmt::join(one.disk.status.conditions, ", "));
  const char* when = one.disk.running ? "" : "once it is started: ";
  fmt::print("  a read     {}{}\n", when, one.what.read.text);
  fmt::print("  a write    {}{}\n", when, one.what.write.text);
}

int run(const Arguments& arguments) {
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
  return {.description = R"(
Tells of one sector what state it is in, where its data is now, which extent it belongs to, which
commit said so and because of what error, and what a read and a write of it would do at this moment.
Reads only; the set may run or not.
)",
          .examples = {{"dmremap explain backup 2048", "sector 2048 of the set `backup`"},
                       {"dmremap explain backup 2048 --json", "the same for a script"}},
          .exits = {{0, "it is told"},
                    {1, "failed: no such set is here, or its answer does not come"},
                    {3, "refused: two devices hold the set"}},
          .json =
              "name, uuid, running, doubtful, conditions, sector, state, failing (the errno of its "
              "place on the spare, or null), extent, where, evidence or null, read, write",
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
          "of the device, counted from 0, 512 bytes each; or bytes with a unit, such as 1GiB")
      .required();
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
