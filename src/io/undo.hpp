// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/units.hpp"
#include "io/block_device.hpp"

namespace dmremap::io {

// Saves the contents of ranges of a device and, unless disarmed, writes them back when it is
// destroyed. Blocks that could not be read are not written back.
class Undo {
 public:
  Undo(BlockDevice& device, const std::vector<SectorRange>& ranges);
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo();

  // True if everything could be read, and so can be written back.
  [[nodiscard]] bool covers_all() const { return covers_all_; }
  void disarm() { saved_.clear(); }

 private:
  struct SavedRange {
    Sector first;
    AlignedBuffer bytes;
  };
  bool put_back(Sector first, std::span<const std::byte> block);

  BlockDevice& device_;
  std::vector<SavedRange> saved_;
  bool covers_all_ = true;
};

// Uses plain writes, because a device may do write_zeroes by unmapping the range.
IoStatus overwrite_with_zeros(BlockDevice& device, SectorRange range);

}  // namespace dmremap::io
