// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/live_table.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "table/known_bad.hpp"

namespace dmremap::table {

LiveTable::LiveTable(SectorCount main_size, const Table& table, Scheduling& scheduling,
                     std::span<std::byte> pins)
    : pins_(scheduling, pins),
      regions_(main_size),
      mutex_(scheduling),
      released_(scheduling),
      snapshots_(std::make_unique<const Snapshot>(Snapshot{table, {}, {}, {}})) {
  // From the start on a clear bit means that main serves all of the region.
  for (const format::Extent& extent : table.extents()) regions_.set(extent.main());
}

Table LiveTable::table() const {
  const std::lock_guard lock(mutex_);
  return snapshots_.current().table;
}

std::uint64_t LiveTable::publish_locked(Snapshot next) {
  return snapshots_.publish(std::make_unique<const Snapshot>(std::move(next)), pins_);
}

void LiveTable::clear_unused_locked(SectorRange range) {
  const Snapshot& now = snapshots_.current();
  const auto unused = [&now](SectorRange sectors) {
    return !now.table.any(sectors) && !now.held(sectors) && !now.watched(sectors) &&
           !now.is_overdue(sectors);
  };
  // A bit is cleared only when nothing is left of table, holds, watches and overdue writes in what
  // it stands for.
  const std::uint64_t last = region_of(range.end() - SectorCount{1});
  for (std::uint64_t region = region_of(range.first); region <= last; ++region) {
    const SectorRange sectors = range_of_region(region);
    if (unused(sectors)) {
      regions_.clear_region(region);
      continue;
    }
    const SectorRange inside = sectors.intersect(range);
    for (Sector at = inside.first; at < inside.end();) {
      const SectorRange cell = regions_.cell_at(at);
      if (unused(cell)) regions_.clear_cell(at);
      at = cell.end();
    }
  }
}

std::uint64_t LiveTable::publish(const Table& table, std::span<const SectorRange> changed) {
  std::uint64_t epoch = 0;
  {
    const std::lock_guard lock(mutex_);
    // Bits are set before the snapshot is out and cleared after: a request that pins itself in
    // between looks at the table once too often, and never once too seldom.
    for (const SectorRange& range : changed) regions_.set(range);
    Snapshot next = snapshots_.current();
    next.table = table;
    if (!next.overdue.empty()) note_moved(next, changed);
    epoch = publish_locked(std::move(next));
    for (const SectorRange& range : changed) clear_unused_locked(range);
  }
  for (TableSubscriber* subscriber : subscribers_) subscriber->on_table(table, changed);
  return epoch;
}

bool LiveTable::drain(SectorRange range, Clock& clock, std::uint64_t deadline_ns) const {
  return pins_.drain(range, clock, deadline_ns) &&
         std::ranges::all_of(sources_, [&](const PinSource* source) {
           return source->drain(range, clock, deadline_ns);
         });
}

std::uint64_t LiveTable::oldest_request() const {
  std::uint64_t out = pins_.oldest();
  for (const PinSource* source : sources_) out = std::min(out, source->oldest());
  return out;
}

LiveTable::Hold LiveTable::hold(std::vector<SectorRange> ranges) {
  std::unique_lock lock(mutex_);
  // All or none, so that no two holders wait for each other with parts of what they want.
  released_.wait(lock, [&] {
    return std::ranges::none_of(
        ranges, [this](const SectorRange& range) { return snapshots_.current().held(range); });
  });
  for (const SectorRange& range : ranges) regions_.set(range);
  Snapshot next = snapshots_.current();
  next.holds.insert(next.holds.end(), ranges.begin(), ranges.end());
  publish_locked(std::move(next));
  return {*this, std::move(ranges)};
}

void LiveTable::release(const std::vector<SectorRange>& ranges) {
  {
    const std::lock_guard lock(mutex_);
    Snapshot next = snapshots_.current();
    for (const SectorRange& range : ranges) {
      const auto held = std::ranges::find(next.holds, range);
      DMREMAP_ASSERT(held != next.holds.end());
      next.holds.erase(held);
    }
    publish_locked(std::move(next));
    for (const SectorRange& range : ranges) clear_unused_locked(range);
  }
  // Outside the lock, which those that wake up take at once.
  released_.notify_all();
}

bool LiveTable::drain(const Hold& hold, Clock& clock, std::uint64_t deadline_ns) const {
  // One deadline for all ranges. A request that came after the hold has seen it, and is not in the
  // way.
  return std::ranges::all_of(
      hold.ranges_, [&](const SectorRange& range) { return drain(range, clock, deadline_ns); });
}

void LiveTable::wait_unheld(SectorRange range) {
  std::unique_lock lock(mutex_);
  released_.wait(lock, [&] { return !snapshots_.current().held(range); });
}

void LiveTable::note_write(SectorRange range) const {
  const std::lock_guard lock(mutex_);
  snapshots_.current().note_write(range);
}

std::optional<LiveTable::Watch> LiveTable::watch(SectorRange range) {
  const std::lock_guard lock(mutex_);
  Snapshot next = snapshots_.current();
  // One reader is enough for a bad sector, and the drive is slow enough as it is.
  if (next.watched(range)) return std::nullopt;
  auto watched = std::make_shared<WatchRecord>();
  watched->range = range;
  regions_.set(range);
  next.watches.push_back(watched);
  publish_locked(std::move(next));
  return Watch(*this, std::move(watched));
}

void LiveTable::release(const std::shared_ptr<WatchRecord>& watched) {
  {
    const std::lock_guard lock(mutex_);
    Snapshot next = snapshots_.current();
    std::erase(next.watches, watched);
    publish_locked(std::move(next));
    clear_unused_locked(watched->range);
  }
  released_.notify_all();
}

void LiveTable::add_overdue(SectorRange range) {
  const std::lock_guard lock(mutex_);
  regions_.set(range);
  Snapshot next = snapshots_.current();
  next.overdue.push_back({range, {}});
  publish_locked(std::move(next));
}

void LiveTable::remove_overdue(SectorRange range) {
  const std::lock_guard lock(mutex_);
  Snapshot next = snapshots_.current();
  const auto one = std::ranges::find(next.overdue, range, &OverdueWrite::range);
  DMREMAP_ASSERT(one != next.overdue.end());
  next.overdue.erase(one);
  publish_locked(std::move(next));
  clear_unused_locked(range);
}

// A late write reaches the place that its request looked up, or main. The remapper takes nothing of
// it any more, and a freed place is given to nobody while its request is pinned.
void LiveTable::note_moved(Snapshot& next, std::span<const SectorRange> changed) {
  for (OverdueWrite& write : next.overdue) {
    for (const SectorRange& range : changed) {
      for (const Piece& piece : next.table.pieces(range.intersect(write.range))) {
        if (piece.state == format::State::remapped) write.moved.push_back(piece.main);
      }
    }
    write.moved = joined(std::move(write.moved));
  }
}

bool LiveTable::is_in_reach(SectorRange range) const {
  const std::lock_guard lock(mutex_);
  return snapshots_.current().is_in_reach(range);
}

bool LiveTable::is_overdue(SectorRange range) const {
  const std::lock_guard lock(mutex_);
  return snapshots_.current().is_overdue(range);
}

bool LiveTable::drain(const Watch& watch, Clock& clock, std::uint64_t deadline_ns) const {
  return drain(watch.range(), clock, deadline_ns);
}

bool LiveTable::wait_unwatched(SectorRange range, std::chrono::nanoseconds longest) {
  std::unique_lock lock(mutex_);
  return released_.wait_for(lock, longest, [&] { return !snapshots_.current().watched(range); });
}

LiveTable::Watch::Watch(Watch&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), watched_(std::move(other.watched_)) {}

LiveTable::Watch::~Watch() {
  if (owner_ != nullptr) owner_->release(watched_);
}

LiveTable::Hold::Hold(Hold&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), ranges_(std::move(other.ranges_)) {}

LiveTable::Hold::~Hold() {
  if (owner_ != nullptr) owner_->release(ranges_);
}

}  // namespace dmremap::table
