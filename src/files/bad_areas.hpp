// SPDX-License-Identifier: GPL-2.0-or-later
// The bad sectors of a set as a file system on it sees them, and what of them lies in files. Pure.
//
// Addresses are the file system's own, in bytes: those that FIEMAP gives. They are bytes of its
// device, but for btrfs, which has a map in between (files/btrfs_chunks.hpp).
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

struct BadArea {
  ByteRange at;   // of the file system
  Sector sector;  // of the set's device: where `at` begins
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
  // Areas may overlap: two sectors of the device that stand for one place of the file system.
  explicit BadAreas(std::vector<BadArea> areas);

  // What of `place` is bad, in order of address. From now on it counts as taken by a file.
  [[nodiscard]] std::vector<BadArea> take(const ByteRange& place);

  // Sectors of the device that no take() touched, in order.
  struct Left {
    SectorRange range;
    format::State state = format::State::lost;
    bool operator==(const Left&) const = default;
  };
  [[nodiscard]] std::vector<Left> left() const;

 private:
  std::vector<BadArea> areas_;      // by address
  std::uint64_t longest_ = 0;       // of an area, bytes
  std::vector<SectorRange> taken_;  // of the device, in no order
};

}  // namespace dmremap::files
