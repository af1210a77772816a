// SPDX-License-Identifier: GPL-2.0-or-later
// The record of a verified copy of the set: an optional section of a body.
//
// It names the commit that carries it. A program that does not know the section carries it along
// unchanged into its own commits. There it names an earlier commit and is ignored, so that it
// cannot become out of date unnoticed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/units.hpp"

namespace dmremap::format {

inline constexpr std::uint16_t kCopyRecordType = 5;
inline constexpr std::size_t kCopyRecordBytes = 64;

struct CopyRecord {
  std::uint64_t sequence = 0;  // of the commit that carries it
  std::uint64_t wall_ns = 0;   // when the copy was done; for people
  SectorCount left_out;        // sectors that were lost or gone, and are not in it

  bool operator==(const CopyRecord&) const = default;
};

// `out` is zeroed and kCopyRecordBytes long.
void pack_copy_record(const CopyRecord& record, std::span<std::byte> out);
// Empty if the bytes are no record, or one of another commit than `sequence`.
[[nodiscard]] std::optional<CopyRecord> unpack_copy_record(std::span<const std::byte> from,
                                                           std::uint64_t sequence);

}  // namespace dmremap::format
