// SPDX-License-Identifier: GPL-2.0-or-later
// Evidence that a device is main as it was left: hashes of a few of its blocks, each of which was
// durable and not written since its hash was taken. A device with the same identifiers may be a
// clone, or have been changed on another machine; its blocks tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "format/evidence.hpp"
#include "io/block_device.hpp"

namespace dmremap::remap {

inline constexpr std::size_t kMostEvidence = format::kMaxEvidenceBlocks;

// What one block of main held.
struct BlockHash {
  SectorRange block;  // whole logical blocks
  std::uint64_t hash = 0;

  bool operator==(const BlockHash&) const = default;
};

// The first 8 bytes of the SHA-256 of `contents`, little-endian. A hash by chance equal to that of
// other contents is one in 2^64; nobody is expected to forge one.
[[nodiscard]] std::uint64_t hash_of(std::span<const std::byte> contents);

// As the metadata holds it, where all blocks are of one length: that of the first. None of none.
[[nodiscard]] std::optional<format::Evidence> to_format(std::span<const BlockHash> evidence);
[[nodiscard]] std::vector<BlockHash> from_format(const format::Evidence& evidence);

struct EvidenceComparison {
  std::size_t compared = 0;             // blocks that could be read
  std::optional<SectorRange> mismatch;  // the first block that holds something else

  // Main as it was left, as far as evidence goes: something was compared, and all of it agrees.
  [[nodiscard]] bool agrees() const { return compared > 0 && !mismatch; }
};

// Reads the blocks from `device`; one that cannot be read, or lies outside, proves nothing. Stops
// at the first mismatch, which is read twice.
[[nodiscard]] EvidenceComparison compare_evidence(io::BlockDevice& device,
                                                  std::span<const BlockHash> evidence);

}  // namespace dmremap::remap
