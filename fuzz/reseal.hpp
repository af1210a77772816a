// SPDX-License-Identifier: GPL-2.0-or-later
// Puts checksums right, so that a fuzzer gets behind them: it cannot guess one. Offsets as in
// docs/on-disk-format.md; bytes that make no sense are left as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dmremap::fuzz {

// `block` is a seal block.
void reseal_seal(std::span<std::byte> block);
// Makes the seal name `body`: its length, in blocks, and checksum.
void point_seal_at(std::span<std::byte> seal_block, std::span<const std::byte> body);

// The two fingerprints of an identity section.
void reseal_identity(std::span<std::byte> section);

struct BodyLevels {
  bool fingerprints = true;
  bool sections = true;
  bool blocks = true;
};
// Whole blocks.
void reseal_body(std::span<std::byte> body, BodyLevels levels);

// How many blocks a seal says its body has; 1 to 63 even if it says nonsense.
std::size_t blocks_named_by(std::span<const std::byte> seal_block);

}  // namespace dmremap::fuzz
