// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/snapshot.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "base/assert.hpp"

namespace dmremap::table {

namespace {

// A range in one word, so that it is read whole. What does not fit (a discard of 8 GiB) is taken to
// reach to the end.
constexpr std::uint64_t kToTheEnd = 0xffffff;
// Sectors; more than the 40 bits of a first sector name.
constexpr std::uint64_t kFarthest = std::uint64_t{1} << 40U;

std::uint64_t packed(SectorRange range) {
  return range.first.value << 24U | std::min(range.count.value, kToTheEnd);
}

bool overlaps(std::uint64_t word, SectorRange range) {
  const Sector first{word >> 24U};
  const std::uint64_t count = word & kToTheEnd;
  return first < range.end() && (count == kToTheEnd || range.first < first + SectorCount{count});
}

SectorRange unpacked(std::uint64_t word) {
  const std::uint64_t count = word & kToTheEnd;
  return {{word >> 24U}, {count == kToTheEnd ? kFarthest : count}};
}

}  // namespace

Pins::Pins(Scheduling& scheduling, std::span<std::byte> memory)
    : own_slots_(memory.empty() ? kSlots : 0),
      slots_(memory.empty() ? own_slots_.data() : reinterpret_cast<Slot*>(memory.data())),
      scheduling_(scheduling) {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free,
                "a lock would not outlive the process");
  if (memory.empty()) return;
  DMREMAP_ASSERT(memory.size() == kBytes);
  std::uninitialized_value_construct_n(slots_, kSlots);
}

std::vector<SectorRange> Pins::ranges_in_flight() const {
  std::vector<SectorRange> out;
  for (const Slot& slot : slots()) {
    if (slot.turn.load() % 2 != 0) out.push_back(unpacked(slot.range.load()));
  }
  return out;
}

std::vector<SectorRange> Pins::ranges_in_flight(std::span<const std::byte> memory) {
  static_assert(offsetof(Slot, turn) == 0 && offsetof(Slot, range) == 16);
  std::vector<SectorRange> out;
  for (std::size_t at = 0; at + sizeof(Slot) <= memory.size(); at += sizeof(Slot)) {
    std::array<std::uint64_t, 3> words{};  // turn, epoch, range
    std::memcpy(words.data(), memory.subspan(at).data(), sizeof words);
    if (words[0] % 2 != 0) out.push_back(unpacked(words[2]));
  }
  return out;
}

Pins::Pin Pins::pin(SectorRange range) {
  // Threads begin to look at different slots, so that they do not meet.
  const std::size_t first = scheduling_.lane();
  for (std::size_t tried = 0;; ++tried) {
    Slot& slot = slots_[(first + tried) % kSlots];
    std::uint64_t turn = slot.turn.load(std::memory_order_relaxed);
    if (turn % 2 == 0 && slot.turn.compare_exchange_strong(turn, turn + 1)) {
      slot.epoch.store(epoch_.load());
      slot.range.store(packed(range));
      return Pin(&slot);
    }
    if (tried % kSlots == kSlots - 1) scheduling_.pause(tried / kSlots + 16);
  }
}

bool Pins::drain(SectorRange range, Clock& clock, std::uint64_t deadline_ns) const {
  for (const Slot& slot : slots()) {
    const std::uint64_t turn = slot.turn.load();
    // A slot that has been claimed but not announced yet shows the range of an earlier request.
    // That does no harm: its present owner will see what was published before this call.
    if (turn % 2 == 0 || !overlaps(slot.range.load(), range)) continue;
    for (std::uint64_t round = 0; slot.turn.load() == turn; ++round) {
      if (clock.monotonic_ns() >= deadline_ns) return false;
      scheduling_.pause(round);
    }
  }
  return true;
}

std::vector<Pins::InFlight> Pins::in_flight() const {
  std::vector<InFlight> out;
  for (std::size_t i = 0; i < kSlots; ++i) {
    const std::uint64_t turn = slots_[i].turn.load();
    if (turn % 2 == 0) continue;
    const std::uint64_t word = slots_[i].range.load();
    out.push_back({i, turn, {{word >> 24U}, {word & kToTheEnd}}});
  }
  return out;
}

std::uint64_t Pins::oldest() const {
  std::uint64_t oldest = epoch_.load();
  for (const Slot& slot : slots()) {
    if (slot.turn.load() % 2 != 0) oldest = std::min(oldest, slot.epoch.load());
  }
  return oldest;
}

std::uint64_t Pins::reads() const {
  std::uint64_t sum = 0;
  for (const Slot& slot : slots()) sum += slot.reads.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t Pins::writes() const {
  std::uint64_t sum = 0;
  for (const Slot& slot : slots()) sum += slot.writes.load(std::memory_order_acquire);
  return sum;
}

std::uint64_t SnapshotVersions::publish(std::unique_ptr<const Snapshot> next, Pins& pins) {
  std::unique_ptr<const Snapshot> former(current_.exchange(next.release()));
  const std::uint64_t epoch = pins.advance();
  former_.push_back({std::move(former), epoch});
  const std::uint64_t oldest = pins.oldest();
  while (!former_.empty() && former_.front().epoch <= oldest) former_.pop_front();
  return epoch;
}

}  // namespace dmremap::table
