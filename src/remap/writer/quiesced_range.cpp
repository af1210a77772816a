// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/writer/quiesced_range.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "table/known_bad.hpp"

namespace dmremap::remap {

namespace {

bool same(const table::Table& a, const table::Table& b, SectorRange range) {
  return std::ranges::all_of(a.pieces(range), [&](const table::Piece& piece) {
    return piece == b.piece_at(piece.main.first, range.end());
  });
}

// Steps 1 to 3: what refuses before anything is waited for, and again after the wait.
std::optional<QuiesceFailure> refusal_of(const DataPath& path,
                                         const std::vector<SectorRange>& ranges,
                                         NeedsMain needs_main) {
  if (const auto refusal = why_not_quiesce(path, needs_main)) return refusal;
  // A drain would wait for the device that does not answer, and writes for the hold.
  const bool overdue =
      std::ranges::any_of(ranges, [&](SectorRange one) { return path.live.is_overdue(one); });
  return overdue ? std::optional(QuiesceFailure::timeout) : std::nullopt;
}

}  // namespace

tl::unexpected<Error> error_of(QuiesceFailure failure, const DataPath& path) {
  switch (failure) {
    case QuiesceFailure::read_only:
      return error_of(Outcome::read_only, path);
    case QuiesceFailure::tripped:
      return error_of(Outcome::tripped, path);
    case QuiesceFailure::timeout:
      break;
  }
  return fail(ErrorCode::timeout, "a request in flight there does not end", {}, "try again");
}

std::optional<QuiesceFailure> why_not_quiesce(const DataPath& path, NeedsMain needs_main) {
  // A set that takes no changes will not take them when main is back either: that is the answer
  // that helps.
  if (!path.writable()) return QuiesceFailure::read_only;
  if (needs_main == NeedsMain::yes && path.breaker.tripped()) return QuiesceFailure::tripped;
  return std::nullopt;
}

tl::expected<QuiescedRange, QuiesceFailure> quiesce(DataPath& path, Remapper& remapper,
                                                    std::vector<SectorRange> ranges,
                                                    NeedsMain needs_main,
                                                    std::uint64_t deadline_ns) {
  ranges = table::covering({std::move(ranges), {}}, QuiescedRange::kMostHolds);
  if (const auto refusal = refusal_of(path, ranges, needs_main)) return tl::unexpected(*refusal);
  table::LiveTable::Hold hold = path.live.hold(ranges);
  if (!path.live.drain(hold, path.clock, deadline_ns)) {
    return tl::unexpected(QuiesceFailure::timeout);
  }
  // The caller may be a write that healing is the last resort of, and that was given up while it
  // waited for the hold. What came after it is in force now.
  if (const auto refusal = refusal_of(path, ranges, needs_main)) return tl::unexpected(*refusal);
  // After the drain, never before: the last request that was in flight may have had its write
  // remapped, and what it was told must not be overtaken.
  return QuiescedRange(remapper, std::move(ranges), std::move(hold), path.live.table());
}

tl::expected<QuiescedRange, QuiesceFailure> quiesce(DataPath& path, Remapper& remapper,
                                                    std::vector<SectorRange> ranges,
                                                    NeedsMain needs_main) {
  return quiesce(path, remapper, std::move(ranges), needs_main, path.deadline_from_now());
}

bool QuiescedRange::covers(SectorRange range) const {
  const auto after = std::ranges::upper_bound(ranges_, range.first, {}, &SectorRange::first);
  return after != ranges_.begin() && std::prev(after)->contains(range);
}

Outcome QuiescedRange::bind(std::span<const Item> items) {
  if (items.empty()) return Outcome::done;
  for (const Item& item : items) {
    DMREMAP_ASSERT(item.kind != Item::Kind::store && covers(item.range));
  }
  return remapper_->run(items);
}

tl::expected<WatchedRange, WatchFailure> WatchedRange::begin(DataPath& path, SectorRange range,
                                                             std::uint64_t deadline_ns) {
  if (path.live.is_overdue(range)) return tl::unexpected(WatchFailure::timeout);
  auto watch = path.live.watch(range);
  if (!watch) return tl::unexpected(WatchFailure::watched);
  // A write that had pinned itself before the watch was published does not note itself in it.
  if (!path.live.drain(*watch, path.clock, deadline_ns)) {
    return tl::unexpected(WatchFailure::timeout);
  }
  return WatchedRange(std::move(*watch), path.live.table());
}

bool WatchedRange::is_undisturbed(const QuiescedRange& now) const {
  // The table alone does not tell: a write to a good sector leaves it as it was.
  return !watch_.written() && same(table_, now.table(), range());
}

}  // namespace dmremap::remap
