// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/dirty_regions.hpp"

#include <algorithm>

namespace dmremap::remap {

DirtyRegions::DirtyRegions(SectorCount device_size)
    : words_(align_up(device_size.value, kRegionSectors.value * 64) / (kRegionSectors.value * 64)),
      summary_((words_.size() + 63) / 64) {}

bool DirtyRegions::any() const {
  return std::ranges::any_of(summary_, [](const auto& word) { return word.load() != 0; });
}

void DirtyRegions::move_to(DirtyRegions& into) {
  for (std::size_t s = 0; s < summary_.size(); ++s) {
    if (summary_[s].load() == 0) continue;
    // The summary first: who sets a bit after this sets the summary again.
    for (std::uint64_t bits = summary_[s].exchange(0); bits != 0; bits &= bits - 1) {
      const std::size_t word = s * 64 + static_cast<std::size_t>(std::countr_zero(bits));
      into.words_[word].fetch_or(words_[word].exchange(0));
      into.summary_[s].fetch_or(std::uint64_t{1} << (word % 64));
    }
  }
}

void DirtyRegions::clear() {
  for (std::size_t s = 0; s < summary_.size(); ++s) {
    for (std::uint64_t bits = summary_[s].exchange(0); bits != 0; bits &= bits - 1) {
      words_[s * 64 + static_cast<std::size_t>(std::countr_zero(bits))].store(0);
    }
  }
}

}  // namespace dmremap::remap
