// SPDX-License-Identifier: GPL-2.0-or-later
// What one would take for the table if nothing was made for it. Each answers what a request of 4
// KiB asks: the state of its first extent, and its place on the spare.
#pragma once

#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include <absl/container/btree_map.h>

#include "format/extent.hpp"

namespace dmremap::bench {

// 0: not in the table; else where on the spare.
using Found = std::uint64_t;

inline Found found_in(const format::Extent& extent, Sector at) {
  if (!extent.main().contains(at)) return 0;
  return (extent.spare().first.sector + (at - extent.main().first)).value;
}

class SortedVector {
 public:
  explicit SortedVector(std::span<const format::Extent> extents)
      : extents_(extents.begin(), extents.end()) {}
  [[nodiscard]] Found look(SectorRange range) const {
    const auto after = std::upper_bound(
        extents_.begin(), extents_.end(), range.first,
        [](Sector at, const format::Extent& extent) { return at < extent.main().first; });
    return after == extents_.begin() ? 0 : found_in(*std::prev(after), range.first);
  }

 private:
  std::vector<format::Extent> extents_;
};

template <typename Map>
class Tree {
 public:
  explicit Tree(std::span<const format::Extent> extents) {
    for (const format::Extent& extent : extents) {
      map_.emplace_hint(map_.end(), extent.main().first.value, extent);
    }
  }
  [[nodiscard]] Found look(SectorRange range) const {
    const auto after = map_.upper_bound(range.first.value);
    return after == map_.begin() ? 0 : found_in(std::prev(after)->second, range.first);
  }

 private:
  Map map_;
};
using RedBlackTree = Tree<std::map<std::uint64_t, format::Extent>>;
using BTree = Tree<absl::btree_map<std::uint64_t, format::Extent>>;

// The predecessor's way: an entry for each sector. A request asks for each of its sectors until one
// is found, as it has to: any of them may be the one that is not on main.
class HashPerSector {
 public:
  explicit HashPerSector(std::span<const format::Extent> extents) {
    for (const format::Extent& extent : extents) {
      for (std::uint64_t i = 0; i < extent.main().count.value; ++i) {
        map_.emplace(extent.main().first.value + i, extent.spare().first.sector.value + i);
      }
    }
  }
  [[nodiscard]] Found look(SectorRange range) const {
    for (std::uint64_t at = range.first.value; at < range.end().value; ++at) {
      const auto found = map_.find(at);
      if (found != map_.end()) return found->second;
    }
    return 0;
  }

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> map_;
};

}  // namespace dmremap::bench
