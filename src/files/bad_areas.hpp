// SPDX-License-Identifier: GPL-2.0-or-later
// The bad sectors of a set as a file system on it addresses them, and which of them lie in files.
// Pure.
//
// Addresses are those of the file system in bytes, as FIEMAP gives them. They are also the bytes of
// its device, except for btrfs, which maps one to the other (files/btrfs_chunks.hpp).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "format/extent.hpp"

namespace dmremap::files {

// [begin, begin + length).
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t length = 0;

  [[nodiscard]] std::uint64_t end() const { return begin + length; }
  bool operator==(const ByteRange&) const = default;
};

// The common part; empty where there is none.
[[nodiscard]] ByteRange common(const ByteRange& a, const ByteRange& b);

// A run of bad sectors of one state, as the file system addresses it.
struct BadArea {
  ByteRange at;   // its place in the file system
  Sector sector;  // the sector of the set's device where `at` begins
  format::State state = format::State::lost;

  bool operator==(const BadArea&) const = default;
};

// Lost, gone and suspect extents inside `window`, the part of the set's device that a file system
// lies on. Addresses count from the begin of the window.
[[nodiscard]] std::vector<BadArea> bad_areas(std::span<const format::Extent> extents,
                                             SectorRange window);

// Not thread-safe.
class BadAreas {
 public:
  // Areas may overlap, if two sectors of the device stand for one place of the file system.
  explicit BadAreas(std::vector<BadArea> areas);

  // Returns the bad parts of `place` in order of address, and marks them as claimed by a file.
  [[nodiscard]] std::vector<BadArea> take(const ByteRange& place);

  // The sectors of the device that no take() claimed, in order.
  struct UnclaimedRange {
    SectorRange range;
    format::State state = format::State::lost;
    bool operator==(const UnclaimedRange&) const = default;
  };
  [[nodiscard]] std::vector<UnclaimedRange> unclaimed() const;

 private:
  std::vector<BadArea> areas_;      // sorted by address
  std::uint64_t longest_ = 0;       // bytes of the longest area
  std::vector<SectorRange> taken_;  // claimed sectors of the device, in no order
};

}  // namespace dmremap::files
