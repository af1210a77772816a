// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/range_verb.hpp"

#include <utility>

#include "base/parse.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"

namespace dmremap::cli {

manual::Option add_range_arguments(manual::Verb verb, RangeArguments& arguments,
                                   RangeNeeded needed) {
  add_set_name(verb, arguments.name, "the set").required();
  manual::Option range = verb.add_option(
      "RANGE", arguments.range,
      "SECTOR, SECTOR+COUNT or FIRST-LAST in sectors of 512 bytes, or bytes with a unit");
  if (needed == RangeNeeded::yes) range.required();
  verb.add_flag("--json", arguments.json, "JSON instead of text");
  return range;
}

Result<RangeOfSet> range_of_set(const RangeArguments& arguments) {
  const auto range = parse_range(arguments.range);
  if (!range) return failure_of(range);
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  auto client = connect(*runtime, arguments.name);
  if (!client) return failure_of(client);
  return RangeOfSet{*range, std::move(*client)};
}

int report(Error error, const RangeArguments& arguments) {
  if (error.where.empty()) error.where = arguments.name;
  return report(error, arguments.json);
}

}  // namespace dmremap::cli
