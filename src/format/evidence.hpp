// SPDX-License-Identifier: GPL-2.0-or-later
// Hashes of some blocks of main, taken for a commit: an optional section of a body, "evidence".
// They distinguish main as it was left from an older copy of it, and from the same disk after other
// programs changed it.
//
// Like the facts, the section names the term of the opening that wrote it and is valid in commits
// of that term alone: a program that does not know it may have written to main since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/units.hpp"

namespace dmremap::format {

struct EvidenceBlock {
  Sector first;            // of main
  std::uint64_t hash = 0;  // the first 8 bytes of the SHA-256 of its contents, little-endian

  bool operator==(const EvidenceBlock&) const = default;
};

inline constexpr std::size_t kMaxEvidenceBlocks = 30;

struct Evidence {
  SectorCount block{8};               // the length of each; at least one sector
  std::vector<EvidenceBlock> blocks;  // at most kMaxEvidenceBlocks

  bool operator==(const Evidence&) const = default;
};

inline constexpr std::uint16_t kEvidenceType = 7;
inline constexpr std::size_t kEvidenceBytes = 512;

// `out` is zeroed and kEvidenceBytes long.
void pack_evidence(const Evidence& evidence, std::uint64_t term, std::span<std::byte> out);
// Empty if the bytes are no such section, or one of another term.
[[nodiscard]] std::optional<Evidence> unpack_evidence(std::span<const std::byte> from,
                                                      std::uint64_t term);

}  // namespace dmremap::format
