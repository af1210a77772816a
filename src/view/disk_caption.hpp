// SPDX-License-Identifier: GPL-2.0-or-later
// What stands around a picture of a disk, in words: what was lost, which disk it is, how full the
// spare is, where its partitions begin, and which sectors cannot be read. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/size_text.hpp"
#include "base/units.hpp"
#include "format/extent.hpp"
#include "view/cells.hpp"

namespace dmremap::view {

struct Partition {
  unsigned number = 0;
  SectorRange range;
  std::string holds;  // `ext4 "home"`; empty: not known
};

// A text is empty if it is not known.
struct DiskFacts {
  std::string path{};
  std::string model{};
  std::string serial{};
  std::string file_system{};            // of the disk as a whole: `ext4 "backup"`
  std::vector<Partition> partitions{};  // in order of address
};

// `used` also counts what was given up for good: neither takes data any more.
struct SpareFill {
  std::string path;
  SectorCount used;
  SectorCount capacity;

  [[nodiscard]] double share() const;
};

// All that a picture shows.
struct MapFacts {
  std::string name{};
  std::string uuid{};
  std::string state{};    // the conditions of the set
  std::string verdict{};  // on the disk, in one line; empty: there is none
  std::string time{};
  DiskFacts disk{};
  std::vector<SpareFill> spares{};
  std::span<const format::Extent> extents{};  // sorted, within `size`
  SectorCount size{};
  SectorRange shown{};    // the part of the disk that is drawn, not empty
  SectorCount failing{};  // remapped sectors that do not read now

  [[nodiscard]] bool is_whole() const { return shown.count == size; }
  // Something cannot be read.
  [[nodiscard]] bool has_loss() const;
};

// Lines of the header, without escapes.
[[nodiscard]] std::string loss_line(const MapFacts& facts);
// Empty if all remapped sectors read.
[[nodiscard]] std::string failing_line(const MapFacts& facts);
[[nodiscard]] std::string disk_line(const MapFacts& facts);
[[nodiscard]] std::string spare_line(const SpareFill& spare);
// "sectors 4096+64 (32 KiB at 2 MiB) of 1.8 TiB".
[[nodiscard]] std::string region_line(const MapFacts& facts);
[[nodiscard]] std::string partition_line(const Partition& partition);
// The sizes of addresses in one column, `step` apart: all in one unit, which is at most GiB.
[[nodiscard]] std::string position_text(Sector sector, SectorCount step);

// Sectors side by side that cannot be read, of one state. The table divides them where they differ
// in their evidence or are many; a list for people does not.
struct BadRange {
  format::State state = format::State::lost;
  SectorRange range;
};
// The lost and gone ones within `range`, in order of address.
[[nodiscard]] std::vector<BadRange> bad_ranges(std::span<const format::Extent> extents,
                                               SectorRange range);
// "lost: 431204408+8 (4 KiB at 205.6 GiB)".
[[nodiscard]] std::string bad_range_line(const BadRange& bad);

// "12.1 GiB: 3 lost, 8 remapped of 2048 sectors": a cell, for a square's tooltip.
[[nodiscard]] std::string cell_text(const Cells& cells, std::size_t cell);

}  // namespace dmremap::view
