// SPDX-License-Identifier: GPL-2.0-or-later
// The memory of an engine that is worth having after the process was killed: which requests were in
// flight, which regions of main were written and not flushed, and the evidence of main's contents
// (evidence.hpp). Together they say which of the evidence still holds.
//
//   at         bytes            what
//   0          16384            the slots of the requests in flight (Pins)
//   16384      2048             the evidence, kMostEvidence places of 64 bytes, the rest unused
//   18432      dirty            one bit for each region of 1 MiB, in words of 8 bytes: DirtyRegions
//   + dirty    dirty            the same: regions that a flush in progress covers
//
// All words are in the byte order of the machine: nothing reads this memory on another one.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "remap/evidence/evidence_check.hpp"

namespace dmremap::remap {

struct EngineMemory {
  std::span<std::byte> pins;
  std::span<std::byte> evidence;
  std::span<std::byte> dirty;
  std::span<std::byte> covered;

  [[nodiscard]] static std::size_t bytes_for(SectorCount main_size);
  // `memory` has bytes_for(main_size) bytes, aligned to 64.
  [[nodiscard]] static EngineMemory of(std::span<std::byte> memory, SectorCount main_size);
};

// The evidence that holds of a main on which an engine with this memory ran until it was killed: no
// part of it can have been written, and not made durable, since it was taken. Empty if the memory
// is not of an engine over a main of this size. Pure, and total on any bytes.
[[nodiscard]] std::vector<BlockHash> evidence_after_kill(std::span<const std::byte> memory,
                                                         SectorCount main_size);

}  // namespace dmremap::remap
