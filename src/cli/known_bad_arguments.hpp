// SPDX-License-Identifier: GPL-2.0-or-later
// The options that say in what form a list of known-bad sectors is.
#pragma once

#include <string>

#include "base/parse.hpp"
#include "set/known_bad_file.hpp"

namespace dmremap::cli {

struct KnownBadArguments {
  std::string format;      // empty: not given
  std::string block_size;  // empty: not given
};

// Errors: usage.
[[nodiscard]] inline Result<set::KnownBadForm> parse(const KnownBadArguments& arguments) {
  set::KnownBadForm out;
  if (!arguments.format.empty()) {
    const auto format = set::known_bad_format(arguments.format);
    if (!format) return tl::unexpected(format.error());
    out.format = *format;
  }
  if (!arguments.block_size.empty()) {
    const auto bytes = parse_size(arguments.block_size);
    if (!bytes) return tl::unexpected(bytes.error());
    if (auto fine = check_badblocks_size(*bytes); !fine) return tl::unexpected(fine.error());
    out.block_bytes = *bytes;
  }
  return out;
}

}  // namespace dmremap::cli
