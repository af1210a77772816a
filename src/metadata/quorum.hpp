// SPDX-License-Identifier: GPL-2.0-or-later
// The commit quorum: at least 3 near copies and at least 1 far one, or all 3 far ones.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "format/layout.hpp"

namespace dmremap::metadata {

// A set of copies; bit i is copy i (0-4 near, 5-7 far).
class CopySet {
 public:
  constexpr CopySet() = default;
  constexpr explicit CopySet(unsigned bits) : bits_(bits) {}

  constexpr void add(unsigned copy) { bits_ |= 1U << copy; }
  [[nodiscard]] constexpr bool contains(unsigned copy) const { return ((bits_ >> copy) & 1U) != 0; }
  [[nodiscard]] constexpr unsigned near() const {
    return static_cast<unsigned>(std::popcount(bits_ & kNearMask));
  }
  [[nodiscard]] constexpr unsigned far() const {
    return static_cast<unsigned>(std::popcount(bits_ & ~kNearMask));
  }
  [[nodiscard]] constexpr unsigned size() const { return near() + far(); }
  constexpr bool operator==(const CopySet&) const = default;

  // Union, intersection and difference.
  friend constexpr CopySet operator|(CopySet a, CopySet b) { return CopySet{a.bits_ | b.bits_}; }
  friend constexpr CopySet operator&(CopySet a, CopySet b) { return CopySet{a.bits_ & b.bits_}; }
  friend constexpr CopySet operator-(CopySet a, CopySet b) { return CopySet{a.bits_ & ~b.bits_}; }

 private:
  static constexpr unsigned kNearMask = (1U << format::kNearCopies) - 1;
  unsigned bits_ = 0;
};

inline constexpr CopySet kAllCopies{(1U << format::kCopies) - 1};

[[nodiscard]] constexpr bool contains_quorum(CopySet copies) {
  return (copies.near() >= 3 && copies.far() >= 1) || copies.far() == format::kFarCopies;
}

// A rule that says whether a set of copies is enough for a commit. contains_quorum is the one that
// ships; the enumeration in tests/quorum compares it with others.
using QuorumRule = bool (*)(CopySet);

// The order in which seals are written: a flush after each wave, and no wave contains a quorum, so
// that what is in flight at any moment cannot by itself undo a commit. Three is the fewest: with
// two, one would hold two far copies and therefore at most two near ones, the other at least three
// near ones and a far one.
inline constexpr std::array<CopySet, 3> kSealWaves{CopySet{0b0001'1111U}, CopySet{0b0110'0000U},
                                                   CopySet{0b1000'0000U}};
static_assert(!contains_quorum(kSealWaves[0]) && !contains_quorum(kSealWaves[1]) &&
              !contains_quorum(kSealWaves[2]));

}  // namespace dmremap::metadata
