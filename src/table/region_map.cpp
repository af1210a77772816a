// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/region_map.hpp"

#include <bit>

namespace dmremap::table {

namespace {

constexpr unsigned kSmallestCellShift = 7;
constexpr unsigned kRegionShift = std::countr_zero(kRegionSectors.value);
constexpr std::uint64_t kMostCells = std::uint64_t{1} << 22U;

unsigned cell_shift_for(SectorCount device_size) {
  unsigned shift = kSmallestCellShift;
  while (shift < kRegionShift && device_size.value >> shift > kMostCells) ++shift;
  return shift;
}

}  // namespace

RegionMap::RegionMap(SectorCount device_size)
    : regions_(align_up(device_size.value, kRegionSectors.value * 64) /
               (kRegionSectors.value * 64)),
      summary_((regions_.size() + 63) / 64),
      cell_shift_(cell_shift_for(device_size)),
      cells_(cell_shift_ == kRegionShift ? 0 : regions_.size() << (kRegionShift - cell_shift_)) {}

bool RegionMap::any_cell(SectorRange range) const {
  if (cells_.empty()) return true;
  const std::uint64_t first = range.first.value >> cell_shift_;
  const std::uint64_t last = (range.end().value - 1) >> cell_shift_;
  if (first / 64 != last / 64) [[unlikely]]
    return any_bit(cells_, first, last);
  return (cells_[first / 64].load() & bits(first % 64, last % 64)) != 0;
}

bool RegionMap::any_bit(const Words& words, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t word = first / 64; word <= last / 64; ++word) {
    if ((words[word].load() & bits_in(word, first, last)) != 0) return true;
  }
  return false;
}

void RegionMap::set_bits(Words& words, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t word = first / 64; word <= last / 64; ++word) {
    words[word].fetch_or(bits_in(word, first, last));
  }
}

void RegionMap::set(SectorRange range) {
  if (range.empty()) return;
  const Sector last = range.end() - SectorCount{1};
  if (!cells_.empty()) {
    set_bits(cells_, range.first.value >> cell_shift_, last.value >> cell_shift_);
  }
  set_bits(regions_, region_of(range.first), region_of(last));
  set_bits(summary_, region_of(range.first) / 64, region_of(last) / 64);
}

void RegionMap::clear_region(std::uint64_t region) {
  const std::uint64_t bit = std::uint64_t{1} << (region % 64);
  // Nobody sets meanwhile: a word that is 0 stays so.
  if ((regions_[region / 64].fetch_and(~bit) & ~bit) == 0) {
    summary_[region / 4096].fetch_and(~(std::uint64_t{1} << (region / 64 % 64)));
  }
  if (cells_.empty()) return;
  const std::uint64_t count = std::uint64_t{1} << (kRegionShift - cell_shift_);
  const std::uint64_t first = region * count;
  cells_[first / 64].fetch_and(~bits(first % 64, first % 64 + count - 1));
}

void RegionMap::clear_cell(Sector sector) {
  if (cells_.empty()) return;
  const std::uint64_t cell = sector.value >> cell_shift_;
  cells_[cell / 64].fetch_and(~(std::uint64_t{1} << (cell % 64)));
}

}  // namespace dmremap::table
