// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/dirty_regions.hpp"

#include <algorithm>
#include <memory>

#include "base/assert.hpp"

namespace dmremap::table {

namespace {

std::size_t words_for(SectorCount device_size) {
  return align_up(device_size.value, kRegionSectors.value * 64) / (kRegionSectors.value * 64);
}

}  // namespace

std::size_t DirtyRegions::bytes_for(SectorCount device_size) {
  return words_for(device_size) * sizeof(Word);
}

DirtyRegions::DirtyRegions(SectorCount device_size, std::span<std::byte> memory)
    : own_words_(memory.empty() ? words_for(device_size) : 0),
      words_(own_words_),
      summary_((words_for(device_size) + 63) / 64) {
  static_assert(Word::is_always_lock_free, "a lock would not outlive the process");
  if (memory.empty()) return;
  DMREMAP_ASSERT(memory.size() == bytes_for(device_size));
  auto* const first = reinterpret_cast<Word*>(memory.data());
  std::uninitialized_value_construct_n(first, words_for(device_size));
  words_ = {first, words_for(device_size)};
}

void DirtyRegions::add_all(SectorRange range) {
  const std::uint64_t last = region_of(range.end() - SectorCount{1});
  for (std::uint64_t region = region_of(range.first); region <= last; ++region) {
    if (set(region)) continue;
    const Sector first = std::max(range.first, range_of_region(region).first);
    const std::size_t place = next_recent_.fetch_add(1, std::memory_order_relaxed) % kRecent;
    recent_[place].store(first.value + 1);
    words_[region / 64].fetch_or(std::uint64_t{1} << (region % 64));
    summary_[region / 4096].fetch_or(std::uint64_t{1} << (region / 64 % 64));
  }
}

bool DirtyRegions::any() const {
  return std::ranges::any_of(summary_, [](const auto& word) { return word.load() != 0; });
}

bool DirtyRegions::any(SectorRange range) const {
  if (range.empty()) return false;
  const std::uint64_t last = region_of(range.end() - SectorCount{1});
  for (std::uint64_t region = region_of(range.first); region <= last; ++region) {
    if ((words_[region / 64].load() >> (region % 64) & 1U) != 0) return true;
  }
  return false;
}

void DirtyRegions::move_to(DirtyRegions& into) {
  for (std::size_t s = 0; s < summary_.size(); ++s) {
    if (summary_[s].load() == 0) continue;
    // The summary first: who sets a bit after this sets the summary again.
    for (std::uint64_t bits = summary_[s].exchange(0); bits != 0; bits &= bits - 1) {
      const std::size_t word = s * 64 + static_cast<std::size_t>(std::countr_zero(bits));
      // Set there before it is cleared here: after a kill in between it is in both, never in none.
      const std::uint64_t regions = words_[word].load();
      into.words_[word].fetch_or(regions);
      into.summary_[s].fetch_or(std::uint64_t{1} << (word % 64));
      words_[word].fetch_and(~regions);
      // A bit that came between the load and here is still set, and its summary bit with it, unless
      // its writer saw the summary before it was cleared above.
      if (words_[word].load() != 0) summary_[s].fetch_or(std::uint64_t{1} << (word % 64));
    }
  }
}

void DirtyRegions::copy_to(DirtyRegions& into) const {
  for (std::size_t word = 0; word < words_.size(); ++word) {
    const std::uint64_t regions = words_[word].load();
    if (regions == 0) continue;
    into.words_[word].fetch_or(regions);
    into.summary_[word / 64].fetch_or(std::uint64_t{1} << (word % 64));
  }
}

void DirtyRegions::clear() {
  for (std::size_t s = 0; s < summary_.size(); ++s) {
    for (std::uint64_t bits = summary_[s].exchange(0); bits != 0; bits &= bits - 1) {
      words_[s * 64 + static_cast<std::size_t>(std::countr_zero(bits))].store(0);
    }
  }
}

std::vector<Sector> DirtyRegions::take_recent() {
  std::vector<Sector> out;
  const std::size_t next = next_recent_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < kRecent; ++i) {
    const std::uint64_t noted = recent_[(next + i) % kRecent].exchange(0);
    if (noted != 0) out.push_back({noted - 1});
  }
  return out;
}

}  // namespace dmremap::table
