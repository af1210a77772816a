// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/units.hpp"
#include "io/block_device.hpp"

namespace dmremap::io {

// Keeps what ranges of a device hold and, unless disarmed, writes it back at the end. What could
// not be read is not written back.
class Undo {
 public:
  Undo(BlockDevice& device, const std::vector<SectorRange>& ranges);
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo();

  // Everything could be read, and so can be put back.
  [[nodiscard]] bool covers_all() const { return covers_all_; }
  void disarm() { kept_.clear(); }

 private:
  struct Kept {
    Sector first;
    AlignedBuffer bytes;
  };
  bool put_back(Sector first, std::span<const std::byte> block);

  BlockDevice& device_;
  std::vector<Kept> kept_;
  bool covers_all_ = true;
};

// Plain writes: a device may answer write_zeroes by forgetting instead.
IoStatus overwrite_with_zeros(BlockDevice& device, SectorRange range);

}  // namespace dmremap::io
