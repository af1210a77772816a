// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
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

Result<control::UnremapReply> unremap(const RangeArguments& arguments) {
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
  control::UnremapReply sum;
  for (Sector at = range.first; at < range.end();) {
    const SectorCount count = std::min(kStep, range.end() - at);
    const auto answer = client.call(control::UnremapRequest{{{at, count}}}, kWorkTime);
    if (!answer) return failure_of(answer);
    add(sum, *answer);
    at = at + count;
  }
  return sum;
}

Error kept_error(const std::string& name, const control::UnremapReply& sum) {
  const std::string why = sum.error != 0 ? errno_text(sum.error)
                                         : std::string("main returned other data than was written");
  return {ErrorCode::io,
          fmt::format("{} stay remapped, from sector {} on: {}",
                      counted(sum.kept_sectors.value, "sector"), sum.first_kept_sector.value, why),
          name, "their data is safe on the spare; unremap them when main takes writes again"};
}

int run(const RangeArguments& arguments) {
  const auto done = unremap(arguments);
  if (!done) return report(done.error(), arguments);
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"returned_sectors", done->returned_sectors},
                {"kept_sectors", done->kept_sectors},
                {"untouched_sectors", done->untouched_sectors}});
  } else {
    fmt::print("{} sectors brought back to main, {} still remapped, {} were not remapped\n",
               done->returned_sectors.value, done->kept_sectors.value,
               done->untouched_sectors.value);
  }
  return done->kept_sectors.value == 0 ? kDone
                                       : report(kept_error(arguments.name, *done), arguments.json);
}

manual::Prose prose() {
  return {
      .description = R"(
For a disk that was not to blame: the cable was changed, the sectors take writes again. The data of
each remapped sector in the range is written to main, flushed, read back and compared; then the
mapping is dropped. What main refuses or returns different stays remapped, and nothing is lost.
)",
      .examples = {{"dmremap unremap backup 0+31250000",
                    "whatever is remapped in the first 16 GB"}},
      .exits = {{0, "all of it is back on main"},
                {1, "failed: no such set runs, it is read-only, or some sectors stay remapped"}},
      .json = "name, returned_sectors, kept_sectors, untouched_sectors",
      .see_also = {"remap", "status"}};
}

}  // namespace

void add_unremap(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "unremap", "Bring the data of remapped sectors back to main, verified, and free their place");
  const auto arguments = std::make_shared<RangeArguments>();
  add_range_arguments(verb, *arguments);
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
