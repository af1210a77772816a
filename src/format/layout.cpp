// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/layout.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace dmremap::format {

namespace {
constexpr std::uint64_t kFarAlignment = 2048;
}

CopyPositions copy_positions(SectorCount spare_size) {
  DMREMAP_ASSERT(spare_size >= kMinSpareSize);
  CopyPositions out{};
  std::copy(kNearPositions.begin(), kNearPositions.end(), out.begin());
  const std::uint64_t last = align_down(spare_size.value - kCopySectors.value, kFarAlignment);
  const std::uint64_t span = last - kNearEnd.value;
  for (std::uint64_t i = 1; i <= kFarCopies; ++i) {
    out[kNearCopies + i - 1] = {align_down(kNearEnd.value + span / kFarCopies * i, kFarAlignment)};
  }
  out.back() = {last};
  return out;
}

std::vector<SectorRange> reserved_ranges(SectorCount spare_size) {
  std::vector<SectorRange> out;
  for (const Sector at : copy_positions(spare_size)) {
    out.push_back({at, kCopySectors});
  }
  return out;
}

}  // namespace dmremap::format
