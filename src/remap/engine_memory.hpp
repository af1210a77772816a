// SPDX-License-Identifier: GPL-2.0-or-later
// The memory of an engine that is worth having after the process was killed: which requests were in
// flight, which regions of main were written and not flushed, and the evidence of main's contents
// (evidence.hpp). Together they say which of the evidence still holds.
//
//   at         bytes            what
//   0          16384            the slots of the requests in flight (Pins)
//   16384      1984             the evidence, kMostEvidence places of 64 bytes, the rest unused
//   18368      the rest         the regions of main that were written and not flushed, one bit for
//                               each of 1 MiB, and whether a flush is in doubt: UnflushedWrites
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
  std::span<std::byte> unflushed;

  [[nodiscard]] static std::size_t bytes_for(SectorCount main_size);
  // `memory` has bytes_for(main_size) bytes, aligned to 64.
  [[nodiscard]] static EngineMemory of(std::span<std::byte> memory, SectorCount main_size);
};

// The evidence that holds of a main on which an engine with this memory ran until it was killed: no
// part of it can have been written, and not made durable, since it was taken. Empty if the memory
// is not of an engine over a main of this size. Pure, and total on any bytes.
[[nodiscard]] std::vector<BlockHash> evidence_after_kill(std::span<const std::byte> memory,
                                                         SectorCount main_size);

// Whether a flush of main may have failed without the word of it having reached its user: a front
// end whose requests outlive the process that was killed must not ask main again and believe it.
// Pure, and total on any bytes: true where they do not tell.
[[nodiscard]] bool flush_in_doubt_after_kill(std::span<const std::byte> memory,
                                             SectorCount main_size);

// What an engine that was killed had acknowledged and not flushed, for an engine that serves the
// same users: those of a front end whose requests outlived it.
struct UnflushedLeft {
  bool main_flush_in_doubt = true;
  bool spare_flush_in_doubt = true;
  std::vector<SectorRange> regions;  // of main; whole regions, in order

  bool operator==(const UnflushedLeft&) const = default;
};
// Pure, and total on any bytes: where they do not tell, the flushes are in doubt.
[[nodiscard]] UnflushedLeft unflushed_after_kill(std::span<const std::byte> memory,
                                                 SectorCount main_size);

}  // namespace dmremap::remap
