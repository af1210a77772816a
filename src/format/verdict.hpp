// SPDX-License-Identifier: GPL-2.0-or-later
// The verdicts on a slot. They are tried in this order, and the first that fits is the verdict.
#pragma once

#include <cstdint>
#include <string_view>

namespace dmremap::format {

enum class Verdict : std::uint8_t {
  unreadable,  // the device gave an error for the seal or the body
  empty,       // the seal block is all zero
  foreign,     // a valid seal of another set, another device or a newer format
  corrupt,     // no valid seal
  misplaced,   // a valid seal of this set that belongs elsewhere
  torn,        // a valid seal, but the body is not the one that it seals
  stale,       // whole, but not the winner
  good,        // whole, and the winner
};

[[nodiscard]] constexpr std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::unreadable:
      return "unreadable";
    case Verdict::empty:
      return "empty";
    case Verdict::foreign:
      return "foreign";
    case Verdict::corrupt:
      return "corrupt";
    case Verdict::misplaced:
      return "misplaced";
    case Verdict::torn:
      return "torn";
    case Verdict::stale:
      return "stale";
    case Verdict::good:
      return "good";
  }
  return "corrupt";
}

}  // namespace dmremap::format
