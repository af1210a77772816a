// SPDX-License-Identifier: GPL-2.0-or-later
// The options for the format of a list of known-bad sectors, and for the device that it describes.
#pragma once

#include <string>

#include "base/parse.hpp"
#include "manual/command_line.hpp"
#include "transfer/known_bad_source.hpp"

namespace dmremap::cli {

// Empty: not given.
struct KnownBadArguments {
  std::string format;
  std::string block_size;
  std::string device;
  std::string offset;
  std::string partition;
  bool round = false;
};

// The options of a list that is read, each with `prefix` before its name ("--" or "--known-bad-").
void add_list_options(manual::Verb verb, KnownBadArguments& arguments, const std::string& prefix);

// Adds a hint to the error for a list that the table has no room for: it names --round, unless that
// was given.
[[nodiscard]] Error with_round_hint(Error error, const KnownBadArguments& arguments,
                                    const std::string& prefix);

// Without the path. Errors: usage.
[[nodiscard]] Result<transfer::KnownBadSource> parse(const KnownBadArguments& arguments);

}  // namespace dmremap::cli
