// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/allocator.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.hpp"

namespace dmremap::table {

namespace {

SectorRange aligned_inside(Sector first, Sector end, SectorCount unit) {
  const std::uint64_t from = align_up(first.value, unit.value);
  const std::uint64_t to = align_down(end.value, unit.value);
  return {{from}, {to > from ? to - from : 0}};
}

}  // namespace

Result<Allocator> Allocator::of(SpareIndex index, SectorCount spare_size,
                                std::span<const SectorRange> reserved, const Table& table,
                                SectorCount unit) {
  Allocator out(index);
  out.unit_ = unit;
  out.end_ = Sector{} + spare_size;
  Sector at{0};
  for (const SectorRange& range : reserved) {
    out.capacity_ = out.capacity_ + aligned_inside(at, range.first, unit).count;
    at = range.end();
  }
  out.capacity_ = out.capacity_ + aligned_inside(at, Sector{} + spare_size, unit).count;

  std::vector<SectorRange> taken(reserved.begin(), reserved.end());
  const auto is_here = [index](SpareRange place) { return place.first.index == index; };
  Sector newest{0};
  for (const format::Extent& extent : table.extents()) {
    if (extent.state() != format::State::remapped || !is_here(extent.spare())) continue;
    taken.push_back(extent.spare().sectors());
    newest = std::max(newest, taken.back().end());
  }
  for (const format::Extent& extent : table.retired()) {
    if (is_here(extent.spare())) taken.push_back(extent.spare().sectors());
  }
  std::ranges::sort(taken);

  at = Sector{0};
  for (const SectorRange& range : taken) {
    if (range.first < at || range.end() > Sector{} + spare_size) {
      return fail(ErrorCode::metadata_doubtful,
                  "the table names spare sectors twice or outside the spare");
    }
    out.add(aligned_inside(at, range.first, unit));
    at = range.end();
  }
  out.add(aligned_inside(at, Sector{} + spare_size, unit));
  out.tail_ = at;
  out.next_ = Sector{align_up(newest.value, unit.value)};
  return out;
}

void Allocator::add(SectorRange range) {
  if (range.empty()) return;
  available_ = available_ + range.count;
  auto after = free_.lower_bound(range.first.value);
  DMREMAP_ASSERT(after == free_.end() || range.end().value <= after->first);
  if (after != free_.end() && after->first == range.end().value) {
    range.count.value += after->second;
    after = free_.erase(after);
  }
  if (after != free_.begin()) {
    const auto before = std::prev(after);
    DMREMAP_ASSERT(before->first + before->second <= range.first.value);
    if (before->first + before->second == range.first.value) {
      before->second += range.count.value;
      return;
    }
  }
  free_.emplace(range.first.value, range.count.value);
}

// Requires that the run contains `first`.
SpareRange Allocator::take(FreeRuns::iterator run, Sector first, SectorCount wanted) {
  const Sector end{run->first + run->second};
  const SectorRange out{first, std::min(end - first, wanted)};
  if (run->first == first.value) {
    free_.erase(run);
  } else {
    run->second = first.value - run->first;
  }
  if (out.end() < end) free_.emplace(out.end().value, (end - out.end()).value);
  available_ = available_ - out.count;
  next_ = out.end();
  return {{index_, out.first}, out.count};
}

std::optional<SpareRange> Allocator::allocate(SectorCount wanted) {
  if (free_.empty()) return std::nullopt;
  const auto fits = [wanted](const auto& run) { return run.second >= wanted.value; };
  const auto start = free_.lower_bound(next_.value);
  if (start != free_.begin()) {
    // The search skipped a part of this run.
    const auto around = std::prev(start);
    const Sector end{around->first + around->second};
    if (next_ < end && end - next_ >= wanted) return take(around, next_, wanted);
  }
  auto run = std::find_if(start, free_.end(), fits);
  if (run == free_.end()) {
    run = std::find_if(free_.begin(), start, fits);
    if (run == start) run = free_.end();
  }
  if (run == free_.end()) run = std::ranges::max_element(free_, {}, &FreeRuns::value_type::second);
  return take(run, {run->first}, wanted);
}

void Allocator::add_room(Sector first, Sector end) {
  const SectorRange room = aligned_inside(first, end, unit_);
  capacity_ = capacity_ + room.count;
  add(room);
}

void Allocator::grow(SectorCount spare_size, SectorRange signposts, SectorRange former) {
  const Sector end = Sector{} + spare_size;
  DMREMAP_ASSERT(end >= end_);
  // A part of a unit at the old end was of no use by itself.
  const Sector first = std::max(Sector{align_down(end_.value, unit_.value)}, tail_);
  if (signposts.empty() || signposts == former) {
    add_room(first, end);
  } else {
    DMREMAP_ASSERT(signposts.first >= end_ && signposts.end() <= end);
    if (!former.empty()) add_room(former.first, former.end());
    add_room(first, signposts.first);
    add_room(signposts.end(), end);
    tail_ = signposts.end();
  }
  end_ = end;
}

void Allocator::skip(SectorCount ahead) {
  next_ = Sector{align_up((next_ + ahead).value, unit_.value)};
  if (next_ >= end_) next_ = Sector{0};
}

void Allocator::give_back(SpareRange range) {
  DMREMAP_ASSERT(range.first.index == index_);
  add(range.sectors());
}

void Allocator::free_after(SpareRange range, std::uint64_t epoch) {
  DMREMAP_ASSERT(range.first.index == index_);
  waiting_.push_back({range.sectors(), epoch});
}

void Allocator::reclaim(std::uint64_t oldest) {
  while (!waiting_.empty() && waiting_.front().epoch <= oldest) {
    add(waiting_.front().range);
    waiting_.pop_front();
  }
}

}  // namespace dmremap::table
