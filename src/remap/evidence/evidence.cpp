// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/evidence/evidence.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>

#include "base/assert.hpp"
#include "base/checksum.hpp"

namespace dmremap::remap {

namespace {

// The rest is for blocks that are always sampled.
constexpr std::size_t kMostRecent = 16;
constexpr std::size_t kRecentWrites = 8;

// Not 0, so that zeroed memory holds no entry.
std::uint64_t check_of(std::uint64_t first, std::uint64_t count, std::uint64_t hash) {
  const std::array<std::uint64_t, 3> words{first, count, hash};
  return std::uint64_t{1} << 32U | crc32c(std::as_bytes(std::span(words)));
}

}  // namespace

ContentEvidence::ContentEvidence(SectorCount main_size, const table::Pins& pins,
                                 table::UnflushedWrites& unflushed, std::span<std::byte> memory,
                                 std::span<const BlockHash> known, bool durable,
                                 Scheduling& scheduling)
    : main_size_(main_size),
      pins_(pins),
      unflushed_(unflushed),
      places_(reinterpret_cast<Place*>(memory.data()), kMostEvidence),
      mutex_(scheduling),
      durable_(durable) {
  DMREMAP_ASSERT(memory.size() == kBytes);
  std::uninitialized_value_construct_n(places_.data(), kMostEvidence);
  for (std::size_t i = 0; i < std::min(known.size(), kMostEvidence); ++i) {
    store_locked(i, {known[i], true, ++last_number_});
  }
}

std::vector<BlockHash> ContentEvidence::entries_in(std::span<const std::byte> memory) {
  std::vector<BlockHash> out;
  for (std::size_t i = 0; i < kMostEvidence && (i + 1) * sizeof(Place) <= memory.size(); ++i) {
    std::array<std::uint64_t, 4> words{};  // check, first, count, hash
    std::memcpy(words.data(), memory.subspan(i * sizeof(Place)).data(), sizeof words);
    const auto [check, first, count, hash] = words;
    // An entry that was being replaced when the process was killed fails here.
    if (check == check_of(first, count, hash)) out.push_back({{{first}, {count}}, hash});
  }
  return out;
}

// The check goes first and comes last: a kill at any instruction in between leaves no entry.
void ContentEvidence::store_locked(std::size_t at, const Entry& entry) {
  Place& place = places_[at];
  place.check.store(0);
  entries_[at] = entry;
  if (entry.number == 0) return;
  const SectorRange block = entry.known.block;
  place.first.store(block.first.value);
  place.count.store(block.count.value);
  place.hash.store(entry.known.hash);
  place.check.store(check_of(block.first.value, block.count.value, entry.known.hash));
}

template <typename Predicate>
void ContentEvidence::drop_locked(const Predicate& concerned) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].number != 0 && concerned(entries_[i].known.block)) store_locked(i, {});
  }
  // What is being read right now may have been read before the change.
  if (pending_ && concerned(*pending_)) pending_.reset();
}

ContentEvidence::BarredRegions& ContentEvidence::barred_locked() {
  if (!barred_) barred_ = std::make_unique<BarredRegions>(main_size_);
  return *barred_;
}

void ContentEvidence::begin_flush() {
  const std::lock_guard lock(mutex_);
  // A kill after this leaves the regions among the covered ones, and their entries count for
  // nothing; a kill before it leaves them dirty, with the same effect.
  unflushed_.begin_flush();
  drop_locked([this](SectorRange block) { return unflushed_.covered().any(block); });
  flushing_recent_ = unflushed_.take_recent();
  if (barred_) barred_->until_flush.move_to(barred_->flushing);
}

void ContentEvidence::end_flush() {
  const std::lock_guard lock(mutex_);
  unflushed_.end_flush();
  if (barred_) barred_->flushing.clear();
  // Durable now, and so worth sampling.
  recent_.insert(recent_.end(), flushing_recent_.begin(), flushing_recent_.end());
  if (recent_.size() > kRecentWrites) {
    recent_.erase(recent_.begin(), recent_.end() - static_cast<std::ptrdiff_t>(kRecentWrites));
  }
  flushing_recent_.clear();
  durable_.store(true);
  flushes_.fetch_add(1);
}

void ContentEvidence::cancel_flush() {
  const std::lock_guard lock(mutex_);
  unflushed_.cancel_flush();
  if (barred_) barred_->flushing.move_to(barred_->until_flush);
}

void ContentEvidence::abandon_flush() {
  const std::lock_guard lock(mutex_);
  BarredRegions& barred = barred_locked();
  // For good: no later flush can make durable what this one may have dropped.
  unflushed_.covered().copy_to(barred.for_good);
  unflushed_.end_flush();
  barred.flushing.move_to(barred.for_good);
}

bool ContentEvidence::any_unflushed() const {
  const std::lock_guard lock(mutex_);
  return unflushed_.any();
}

void ContentEvidence::flush_failed() {
  const std::lock_guard lock(mutex_);
  // Whatever the device had taken by then and not made durable. Requests in flight may have been
  // answered by the device, and not be entered yet.
  // Before the first good flush nobody knows what an earlier run left unwritten, and where.
  if (!durable_.load()) all_barred_ = true;
  BarredRegions& barred = barred_locked();
  for (const SectorRange range : pins_.ranges_in_flight()) {
    const SectorRange on_main = range.intersect({{0}, main_size_});
    if (!on_main.empty()) barred.for_good.add(on_main);
  }
  unflushed_.copy_to(barred.for_good);
  barred.until_flush.copy_to(barred.for_good);
  barred.flushing.copy_to(barred.for_good);
}

void ContentEvidence::void_range(SectorRange range) {
  const std::lock_guard lock(mutex_);
  drop_locked([range](SectorRange block) { return block.overlaps(range); });
  // A discard or a failed write may take effect later, up to the next flush.
  barred_locked().until_flush.add(range);
}

bool ContentEvidence::usable_locked(SectorRange block) const {
  if (all_barred_ || unflushed_.any(block)) return false;
  return !barred_ || (!barred_->until_flush.any(block) && !barred_->flushing.any(block) &&
                      !barred_->for_good.any(block));
}

bool ContentEvidence::begin(SectorRange block) {
  const std::lock_guard lock(mutex_);
  pending_.reset();
  if (!durable_.load() || !usable_locked(block)) return false;
  pending_ = block;
  return true;
}

bool ContentEvidence::publish(std::uint64_t hash, bool recent) {
  const std::lock_guard lock(mutex_);
  if (!pending_) return false;
  const SectorRange block = *pending_;
  pending_.reset();
  // Requests in flight first, then what they leave behind when they are done: a write that is done
  // between the two looks is seen by the second. One that begins later voids the entry as any
  // other.
  const std::vector<SectorRange> in_flight = pins_.ranges_in_flight();
  const Entry entry{{block, hash}, recent, last_number_ + 1};
  if (!holds_locked(entry, in_flight) || !usable_locked(block)) return false;
  ++last_number_;
  store_locked(place_for_locked(entry), entry);
  return true;
}

// The one of the same block, a free one, or the one that goes longest back of those that make room.
std::size_t ContentEvidence::place_for_locked(const Entry& entry) const {
  std::optional<std::size_t> free;
  std::optional<std::size_t> oldest;
  std::size_t recent = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& other = entries_[i];
    if (other.number == 0) {
      if (!free) free = i;
      continue;
    }
    if (other.known.block == entry.known.block) return i;
    if (!other.recent) continue;
    ++recent;
    if (!oldest || other.number < entries_[*oldest].number) oldest = i;
  }
  if (free && (!entry.recent || recent < kMostRecent || !oldest)) return *free;
  // Room is made by the oldest of those that come and go with writes, so that the blocks that are
  // always sampled stay.
  return oldest.value_or(0);
}

bool ContentEvidence::holds_locked(const Entry& entry,
                                   std::span<const SectorRange> in_flight) const {
  const SectorRange block = entry.known.block;
  return entry.number != 0 &&
         std::ranges::none_of(in_flight, [block](SectorRange r) { return r.overlaps(block); }) &&
         !unflushed_.any(block);
}

std::vector<BlockHash> ContentEvidence::valid() const {
  const std::lock_guard lock(mutex_);
  const std::vector<SectorRange> in_flight = pins_.ranges_in_flight();
  std::vector<Entry> holding;
  std::ranges::copy_if(entries_, std::back_inserter(holding),
                       [&](const Entry& entry) { return holds_locked(entry, in_flight); });
  std::ranges::sort(holding, {}, &Entry::number);
  std::vector<BlockHash> out;
  out.reserve(holding.size());
  for (const Entry& entry : holding) out.push_back(entry.known);
  return out;
}

bool ContentEvidence::holds(const BlockHash& known) const {
  const std::lock_guard lock(mutex_);
  const std::vector<SectorRange> in_flight = pins_.ranges_in_flight();
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    return entry.known == known && holds_locked(entry, in_flight);
  });
}

bool ContentEvidence::has(SectorRange block) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(entries_, [block](const Entry& entry) {
    return entry.number != 0 && entry.known.block == block;
  });
}

void ContentEvidence::drop(SectorRange block) {
  const std::lock_guard lock(mutex_);
  drop_locked([block](SectorRange other) { return other == block; });
}

std::vector<Sector> ContentEvidence::take_recent() {
  const std::lock_guard lock(mutex_);
  return std::exchange(recent_, {});
}

}  // namespace dmremap::remap
