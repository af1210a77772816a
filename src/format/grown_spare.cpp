// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/grown_spare.hpp"

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "base/size_text.hpp"
#include "format/bytes.hpp"
#include "format/extent.hpp"

namespace dmremap::format {

namespace {

constexpr std::size_t kSize = 0;
constexpr std::size_t kZero = 8;

}  // namespace

void pack_grown_spare(SectorCount size, std::span<std::byte> out) {
  DMREMAP_ASSERT(out.size() == kGrownSpareBytes);
  store_le(out, kSize, size.value);
}

std::optional<SectorCount> unpack_grown_spare(std::span<const std::byte> from) {
  if (from.size() != kGrownSpareBytes || !all_zero(from.subspan(kZero))) return std::nullopt;
  const SectorCount size{load_le<std::uint64_t>(from, kSize)};
  if (size.value > kMaxSector + 1) return std::nullopt;
  return size;
}

std::string growth_text(SectorCount before, SectorCount now) {
  return size_text(now) + ", before " + size_text(before);
}

}  // namespace dmremap::format
