// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/layout.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace dmremap::format {

namespace {
constexpr std::uint64_t kFarAlignment = 2048;

std::uint64_t last_position(SectorCount spare_size) {
  return align_down(spare_size.value - kCopySectors.value, kFarAlignment);
}
}  // namespace

CopyPositions copy_positions(SectorCount spare_size) {
  DMREMAP_ASSERT(spare_size >= kMinSpareSize);
  CopyPositions out{};
  std::copy(kNearPositions.begin(), kNearPositions.end(), out.begin());
  const std::uint64_t last = last_position(spare_size);
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

SectorRange signpost_area(SectorCount made, SectorCount used) {
  const std::uint64_t last = last_position(used);
  return {{last}, last == last_position(made) ? SectorCount{} : kCopySectors};
}

bool is_grown_size(SectorCount made, SectorCount used) {
  const SectorRange signposts = signpost_area(made, used);
  return used > made && (signposts.empty() || signposts.first.value >= made.value);
}

std::vector<SectorRange> reserved_ranges(SectorCount made, SectorCount used) {
  std::vector<SectorRange> out = reserved_ranges(made);
  if (const SectorRange signposts = signpost_area(made, used); !signposts.empty()) {
    out.push_back(signposts);
  }
  return out;
}

SectorCount largest_growth(SectorCount used, SectorCount available) {
  const SectorCount whole{align_down(available.value, kBlockSectors.value)};
  if (whole <= used) return whole;
  const std::uint64_t last = last_position(whole);
  if (last == last_position(used) || last >= used.value) return whole;
  // The last size with which the place stays where it is.
  return {last_position(used) + kFarAlignment + kCopySectors.value - kBlockSectors.value};
}

}  // namespace dmremap::format
