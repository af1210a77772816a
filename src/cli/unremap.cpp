// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/sector_parts.hpp"
#include "base/size_text.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/progress_line.hpp"
#include "cli/common/range_verb.hpp"
#include "control/messages.hpp"

namespace dmremap::cli {

namespace {

// Asked for at once, so that no answer takes too long: 1 GiB.
constexpr SectorCount kStep{std::uint64_t{1} << 21U};

void add(control::UnremapReply& sum, const control::UnremapReply& reply) {
  if (reply.kept_sectors.value > 0 && sum.kept_sectors.value == 0) {
    sum.first_kept_sector = reply.first_kept_sector;
    sum.error = reply.error;
  }
  sum.kept_sectors = sum.kept_sectors + reply.kept_sectors;
  sum.returned_sectors = sum.returned_sectors + reply.returned_sectors;
  sum.untouched_sectors = sum.untouched_sectors + reply.untouched_sectors;
}

struct Arguments : RangeArguments {
  bool all = false;
};

struct Outcome {
  control::UnremapReply sum;
  // With --all, of what main alone does not have afterwards: it is gone, or was remapped meanwhile.
  SectorCount elsewhere;
};

// Everything that is remapped, in the order of the disk.
std::vector<SectorRange> remapped_ranges(const control::DiskMap& map) {
  std::vector<SectorRange> out;
  for (const format::Extent& extent : map.extents) {
    if (extent.state() == format::State::remapped) append_run(out, extent.main());
  }
  return out;
}

SectorCount total_of(const std::vector<SectorRange>& ranges) {
  SectorCount out;
  for (const SectorRange& range : ranges) out = out + range.count;
  return out;
}

Result<control::UnremapReply> bring_back(control::Client& client,
                                         const std::vector<SectorRange>& ranges) {
  const SectorCount whole = total_of(ranges);
  ProgressLine line(0);
  SectorCount done;
  control::UnremapReply sum;
  for (const SectorRange& range : ranges) {
    for (const SectorRange part : chunks_of(range, kStep)) {
      line.show(done.value, whole.value);
      const auto answer = client.call(control::UnremapRequest{{part}}, kWorkTime);
      if (!answer) {
        line.end();
        return failure_of(answer);
      }
      add(sum, *answer);
      done = done + part.count;
    }
  }
  line.end();
  return sum;
}

Result<Outcome> unremap_all(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  auto client = connect(*runtime, arguments.name);
  if (!client) return failure_of(client);
  const auto before = client->call(control::ExtentsRequest{}, kAnswerTime);
  if (!before) return failure_of(before);
  auto sum = bring_back(*client, remapped_ranges(*before));
  if (!sum) return failure_of(sum);
  const auto after = client->call(control::StatusRequest{}, kAnswerTime);
  if (!after) return failure_of(after);
  const control::SetReport& status = after->status;
  return Outcome{*sum, {status.remapped_sectors + status.gone_sectors}};
}

Result<Outcome> unremap(const Arguments& arguments) {
  if (arguments.all != arguments.range.empty()) {
    return fail(ErrorCode::usage, "give either a range or --all", arguments.name,
                "--all brings back whatever is remapped");
  }
  if (arguments.all) return unremap_all(arguments);
  auto set = range_of_set(arguments);
  if (!set) return failure_of(set);
  auto& [range, client] = *set;
  const auto status = client.call(control::StatusRequest{}, kAnswerTime);
  if (!status) return failure_of(status);
  const SectorRange disk{{0}, {status->status.size_sectors}};
  if (!disk.contains(range)) {
    return fail(
        ErrorCode::usage,
        fmt::format("the range ends beyond the device, which has {} sectors", disk.count.value),
        arguments.name, "sectors are counted from 0, 512 bytes each");
  }
  const auto sum = bring_back(client, {range});
  if (!sum) return failure_of(sum);
  return Outcome{*sum, {}};
}

Error kept_error(const std::string& name, const control::UnremapReply& sum) {
  const std::string why = sum.error != 0 ? errno_text(sum.error)
                                         : std::string("main returned other data than was written");
  return {ErrorCode::io,
          fmt::format("{} stay remapped, from sector {} on: {}",
                      counted(sum.kept_sectors.value, "sector"), sum.first_kept_sector.value, why),
          name, "their data is safe on the spare; unremap them when main takes writes again"};
}

// What --all was probably for: the set is to end.
void print_way_out(const Arguments& arguments, SectorCount elsewhere) {
  if (elsewhere.value == 0) {
    fmt::print(
        "nothing of main is on the spare any more; to end the set: dmremap stop {}, then dmremap "
        "release SPARE\n",
        arguments.name);
    return;
  }
  fmt::print(
      "{} still need the set: gone ones until they are written or filled (dmremap backfill), "
      "remapped ones until main takes them\n",
      counted(elsewhere.value, "sector"));
}

int run(const Arguments& arguments) {
  const auto done = unremap(arguments);
  if (!done) return report(done.error(), arguments);
  const control::UnremapReply& sum = done->sum;
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"returned_sectors", sum.returned_sectors},
                {"kept_sectors", sum.kept_sectors},
                {"untouched_sectors", sum.untouched_sectors}});
  } else {
    fmt::print("{} sectors brought back to main, {} still remapped, {} were not remapped\n",
               sum.returned_sectors.value, sum.kept_sectors.value, sum.untouched_sectors.value);
    if (arguments.all && sum.kept_sectors.value == 0) print_way_out(arguments, done->elsewhere);
  }
  return sum.kept_sectors.value == 0 ? kDone
                                     : report(kept_error(arguments.name, sum), arguments.json);
}

manual::Prose prose() {
  return {
      .description = R"(
For a disk that was not to blame: the cable was changed, the sectors take writes again. The data of
each remapped sector in the range is written to main, flushed, read back and compared; then the
mapping is dropped. What main refuses or returns different stays remapped, and nothing is lost.

With --all it is everything that is remapped now, wherever it lies. If main took it all, the set can be
ended afterwards: `dmremap stop`, then `dmremap release`.
)",
      .examples = {{"dmremap unremap backup 0+31250000", "whatever is remapped in the first 16 GB"},
                   {"dmremap unremap backup --all", "everything: the way out of using a set"}},
      .exits = {{0, "all of it is back on main"},
                {1, "failed: no such set runs, it is read-only, or some sectors stay remapped"}},
      .json = "name, returned_sectors, kept_sectors, untouched_sectors",
      .see_also = {"remap", "release", "status"}};
}

}  // namespace

void add_unremap(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "unremap", "Bring the data of remapped sectors back to main, verified, and free their place");
  const auto arguments = std::make_shared<Arguments>();
  manual::Option range = add_range_arguments(verb, *arguments, RangeNeeded::no);
  verb.add_flag("--all", arguments->all, "everything that is remapped now").excludes(range);
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
