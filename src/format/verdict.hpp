// SPDX-License-Identifier: GPL-2.0-or-later
// What can be said of one slot, in the order in which it is asked: the first that fits.
#pragma once

#include <cstdint>
#include <string_view>

namespace dmremap::format {

enum class Verdict : std::uint8_t {
  unreadable,  // the device gave an error for the seal or the body
  empty,       // the seal block is all zero
  foreign,     // a right seal of another set, another device or a newer format
  corrupt,     // no right seal
  misplaced,   // a right seal of this set that belongs elsewhere
  torn,        // a right seal; the body is not the one it seals
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
