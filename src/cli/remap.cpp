// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/range_verb.hpp"
#include "control/messages.hpp"

namespace dmremap::cli {

namespace {

Result<control::RemapReply> remap(const RangeArguments& arguments) {
  auto set = range_of_set(arguments);
  if (!set) return failure_of(set);
  return set->client.call(control::RemapRequest{{set->range}}, kWorkTime);
}

int run(const RangeArguments& arguments) {
  const auto done = remap(arguments);
  if (!done) return report(done.error(), arguments);
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"relocated_sectors", done->relocated_sectors},
                {"lost_sectors", done->lost_sectors},
                {"untouched_sectors", done->untouched_sectors}});
  } else {
    fmt::print("{} sectors relocated, {} lost, {} left as they were\n",
               done->relocated_sectors.value, done->lost_sectors.value,
               done->untouched_sectors.value);
  }
  return kDone;
}

manual::Prose prose() {
  return {
      .description = R"(
Moves good and suspect sectors of the range to the spare while the set runs, before the disk loses
them. What cannot be read becomes lost, and reads as an error until something writes it. Sectors
that are already remapped, lost or gone stay as they are.
)",
      .examples = {{"dmremap remap backup 2048+8", "8 sectors of 512 bytes from sector 2048 on"}},
      .exits = {{0, "done; how many were moved and lost is printed"},
                {1, "failed: no such set runs, it is read-only, the spare or the table is full"}},
      .json = "name, relocated_sectors, lost_sectors, untouched_sectors",
      .see_also = {"unremap", "status"}};
}

}  // namespace

void add_remap(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("remap", "Move sectors to the spare by hand; what cannot be read becomes lost");
  const auto arguments = std::make_shared<RangeArguments>();
  (void)add_range_arguments(verb, *arguments);
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
