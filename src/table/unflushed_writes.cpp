// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/unflushed_writes.hpp"

#include <bit>
#include <cstring>
#include <new>

#include "base/assert.hpp"
#include "base/sector_parts.hpp"

namespace dmremap::table {

namespace {

// A line of its own, so that the words of the regions begin on one.
constexpr std::size_t kDoubtBytes = 64;
constexpr std::size_t kSparesAt = sizeof(std::uint64_t);

std::uint64_t word_at(std::span<const std::byte> memory, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, memory.subspan(at, sizeof word).data(), sizeof word);
  return word;
}

bool any_region(std::span<const std::byte> words, SectorRange range) {
  const std::uint64_t last = region_of(range.end() - SectorCount{1});
  for (std::uint64_t region = region_of(range.first); region <= last; ++region) {
    const std::uint64_t at = region / 64 * sizeof(std::uint64_t);
    if (at + sizeof(std::uint64_t) > words.size()) return true;
    if ((word_at(words, at) >> (region % 64) & 1U) != 0) return true;
  }
  return false;
}

}  // namespace

std::size_t UnflushedWrites::bytes_for(SectorCount main_size) {
  return kDoubtBytes + 2 * DirtyRegions::bytes_for(main_size);
}

UnflushedWrites::UnflushedWrites(SectorCount main_size, std::span<std::byte> memory)
    : in_doubt_(new (memory.data()) std::atomic<std::uint64_t>(0)),
      spares_in_doubt_(new (memory.subspan(kSparesAt).data()) std::atomic<std::uint64_t>(0)),
      dirty_(main_size, memory.subspan(kDoubtBytes, DirtyRegions::bytes_for(main_size))),
      covered_(main_size, memory.last(DirtyRegions::bytes_for(main_size))) {
  DMREMAP_ASSERT(memory.size() == bytes_for(main_size));
}

void UnflushedWrites::copy_to(DirtyRegions& into) const {
  dirty_.copy_to(into);
  covered_.copy_to(into);
}

void UnflushedWrites::begin_flush() {
  begin_doubt();
  dirty_.move_to(covered_);
}

bool UnflushedWrites::any_in(std::span<const std::byte> memory, SectorCount main_size,
                             SectorRange range) {
  if (memory.size() != bytes_for(main_size)) return true;
  const std::size_t bytes = DirtyRegions::bytes_for(main_size);
  return any_region(memory.subspan(kDoubtBytes, bytes), range) ||
         any_region(memory.last(bytes), range);
}

bool UnflushedWrites::is_flush_in_doubt(std::span<const std::byte> memory) {
  return memory.size() < kDoubtBytes || word_at(memory, 0) != 0;
}

bool UnflushedWrites::is_spare_flush_in_doubt(std::span<const std::byte> memory) {
  return memory.size() < kDoubtBytes || word_at(memory, kSparesAt) != 0;
}

std::vector<SectorRange> UnflushedWrites::regions_in(std::span<const std::byte> memory,
                                                     SectorCount main_size) {
  if (memory.size() != bytes_for(main_size)) return {};
  const std::size_t bytes = DirtyRegions::bytes_for(main_size);
  const SectorRange main{{0}, main_size};
  std::vector<SectorRange> out;
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t word =
        word_at(memory, kDoubtBytes + at) | word_at(memory, kDoubtBytes + bytes + at);
    for (std::uint64_t bits = word; bits != 0; bits &= bits - 1) {
      const std::uint64_t region = at * 8 + static_cast<std::uint64_t>(std::countr_zero(bits));
      const SectorRange range = range_of_region(region).intersect(main);
      // Else it is no region of this main: the bytes are damaged.
      if (!range.empty()) append_run(out, range);
    }
  }
  return out;
}

}  // namespace dmremap::table
