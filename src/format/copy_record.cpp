// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/copy_record.hpp"

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"

namespace dmremap::format {

namespace {

constexpr std::size_t kSequence = 0;
constexpr std::size_t kWall = 8;
constexpr std::size_t kLeftOut = 16;
constexpr std::size_t kZero = 24;

}  // namespace

void pack_copy_record(const CopyRecord& record, std::span<std::byte> out) {
  DMREMAP_ASSERT(out.size() == kCopyRecordBytes);
  store_le(out, kSequence, record.sequence);
  store_le(out, kWall, record.wall_ns);
  store_le(out, kLeftOut, record.left_out.value);
}

std::optional<CopyRecord> unpack_copy_record(std::span<const std::byte> from,
                                             std::uint64_t sequence) {
  if (from.size() != kCopyRecordBytes || !all_zero(from.subspan(kZero))) return std::nullopt;
  const CopyRecord out{load_le<std::uint64_t>(from, kSequence),
                       load_le<std::uint64_t>(from, kWall),
                       {load_le<std::uint64_t>(from, kLeftOut)}};
  if (out.sequence != sequence) return std::nullopt;
  return out;
}

}  // namespace dmremap::format
