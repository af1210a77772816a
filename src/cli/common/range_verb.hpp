// SPDX-License-Identifier: GPL-2.0-or-later
// The common part of `remap`, `unremap` and `retry`: NAME RANGE of a running set.
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/units.hpp"
#include "cli/common/verb.hpp"
#include "control/client.hpp"

namespace dmremap::cli {

struct RangeArguments {
  std::string name;
  std::string range;
  bool json = false;
};

enum class RangeNeeded { no, yes };

// Returns the argument RANGE; where it may be left out, its text is empty then.
manual::Option add_range_arguments(manual::Verb verb, RangeArguments& arguments,
                                   RangeNeeded needed = RangeNeeded::yes);

struct RangeOfSet {
  SectorRange range;  // not held against the size of the set
  control::Client client;
};
// Errors: usage; as connect.
[[nodiscard]] Result<RangeOfSet> range_of_set(const RangeArguments& arguments);

// Reports an error. If it names no place, the set is named.
int report(Error error, const RangeArguments& arguments);

}  // namespace dmremap::cli
