// SPDX-License-Identifier: GPL-2.0-or-later
// Ranges of sectors in parts, as C++ ranges: for (const SectorRange part : blocks_in(range,
// block)), for which nothing is allocated; and parts joined to runs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <vector>

#include "base/units.hpp"

namespace dmremap {

// A range cut at one boundary and at every `size` sectors behind it. An input range; no standard
// view, because the clang that fuzzes and lints cannot read those of its standard library.
class SectorParts {
 public:
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = SectorRange;
    using difference_type = std::ptrdiff_t;

    constexpr Iterator() = default;
    constexpr Iterator(SectorRange range, Sector boundary, SectorCount size)
        : at_(range.first), end_(range.end()), boundary_(boundary), size_(size) {}

    [[nodiscard]] constexpr SectorRange operator*() const {
      return {at_, std::min(boundary_, end_) - at_};
    }
    constexpr Iterator& operator++() {
      at_ = std::min(boundary_, end_);
      boundary_ = boundary_ + size_;
      return *this;
    }
    constexpr void operator++(int) { ++*this; }
    friend constexpr bool operator==(const Iterator& iterator, std::default_sentinel_t /*end*/) {
      return iterator.at_ == iterator.end_;
    }

   private:
    Sector at_;
    Sector end_;
    Sector boundary_;
    SectorCount size_;
  };

  constexpr SectorParts(SectorRange range, Sector boundary, SectorCount size)
      : begin_(range, boundary, size) {}

  [[nodiscard]] constexpr Iterator begin() const { return begin_; }
  [[nodiscard]] static constexpr std::default_sentinel_t end() { return {}; }

 private:
  Iterator begin_;
};

// The blocks that `range` touches, in order, each cut to the range. Blocks begin at multiples of
// their size. Requires block > 0.
[[nodiscard]] constexpr SectorParts blocks_in(SectorRange range, SectorCount block) {
  return {range, Sector{align_down(range.first.value, block.value)} + block, block};
}

// Parts of `longest` sectors each from the beginning of the range; the last part may be shorter.
// Requires longest > 0.
[[nodiscard]] constexpr SectorParts chunks_of(SectorRange range, SectorCount longest) {
  return {range, range.first + longest, longest};
}

// `range` extended to whole blocks.
[[nodiscard]] constexpr SectorRange rounded_out(SectorRange range, SectorCount block) {
  const Sector first{align_down(range.first.value, block.value)};
  const Sector end{align_up(range.end().value, block.value)};
  return {first, end - first};
}

// Adds `range` to runs in order, joined to the last where it continues it.
inline void append_run(std::vector<SectorRange>& runs, SectorRange range) {
  if (!runs.empty() && runs.back().end() == range.first) {
    // One run instead of two is one entry of the table instead of two.
    runs.back().count = runs.back().count + range.count;
  } else {
    runs.push_back(range);
  }
}

}  // namespace dmremap
