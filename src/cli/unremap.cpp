// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/range_verb.hpp"
#include "control/protocol.hpp"

namespace dmremap::cli {

namespace {

// Asked for at once, so that no answer takes too long: 1 GiB.
constexpr SectorCount kStep{std::uint64_t{1} << 21U};

struct Sum {
  std::uint64_t returned = 0;
  std::uint64_t kept = 0;
  std::uint64_t untouched = 0;
  std::uint64_t first_kept = 0;
  int error = 0;
};

void add(Sum& sum, const nlohmann::json& answer) {
  const auto number = [&](const char* field) { return answer.value(field, std::uint64_t{0}); };
  const std::uint64_t kept = number("kept_sectors");
  if (kept > 0 && sum.kept == 0) {
    sum.first_kept = number("first_kept_sector");
    sum.error = answer.value("errno", 0);
  }
  sum.kept += kept;
  sum.returned += number("returned_sectors");
  sum.untouched += number("untouched_sectors");
}

Result<Sum> unremap(const RangeArguments& arguments) {
  auto set = range_of_set(arguments);
  if (!set) return tl::unexpected(set.error());
  auto& [range, client] = *set;
  const auto status = client.call(control::make_request("status"), kAnswerTime);
  if (!status) return tl::unexpected(status.error());
  const SectorRange disk{{0}, {(*status)["status"].value("size_sectors", std::uint64_t{0})}};
  if (!disk.contains(range)) {
    return fail(
        ErrorCode::usage,
        fmt::format("the range ends beyond the device, which has {} sectors", disk.count.value));
  }
  Sum sum;
  for (Sector at = range.first; at < range.end();) {
    const SectorCount count = std::min(kStep, range.end() - at);
    nlohmann::json request = control::make_request("unremap");
    request["first"] = at.value;
    request["count"] = count.value;
    const auto answer = client.call(request, kWorkTime);
    if (!answer) return tl::unexpected(answer.error());
    add(sum, *answer);
    at = at + count;
  }
  return sum;
}

Error kept_error(const std::string& name, const Sum& sum) {
  const std::string why = sum.error != 0 ? errno_text(sum.error)
                                         : std::string("main returned other data than was written");
  return {ErrorCode::io,
          fmt::format("{} stay remapped, from sector {} on: {}", counted(sum.kept, "sector"),
                      sum.first_kept, why),
          name, "their data is safe on the spare; unremap them when main takes writes again"};
}

int run(const RangeArguments& arguments) {
  const auto done = unremap(arguments);
  if (!done) return report(done.error(), arguments);
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"returned_sectors", done->returned},
                {"kept_sectors", done->kept},
                {"untouched_sectors", done->untouched}});
  } else {
    fmt::print("{} sectors brought back to main, {} still remapped, {} were not remapped\n",
               done->returned, done->kept, done->untouched);
  }
  return done->kept == 0 ? kDone : report(kept_error(arguments.name, *done), arguments.json);
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

void add_unremap(manual::Verb app, Chosen& chosen) {
  manual::Verb verb = app.add_verb(
      "unremap", "Bring the data of remapped sectors back to main, verified, and free their place");
  const auto arguments = std::make_shared<RangeArguments>();
  add_range_arguments(verb, *arguments);
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
