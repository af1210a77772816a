// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/table.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "base/assert.hpp"

namespace dmremap::remap {

namespace {

using format::Extent;
using format::State;

// A leaf smaller than this is merged with a neighbour when it is rewritten anyway.
constexpr std::size_t kSmallLeaf = Table::kLeafExtents / 4;

std::uint64_t& sectors_of(StateCounts& counts, State state) {
  switch (state) {
    case State::suspect:
      return counts.suspect;
    case State::lost:
      return counts.lost;
    case State::gone:
      return counts.gone;
    case State::remapped:
      return counts.remapped;
    case State::good:
    case State::retired:
      break;
  }
  return counts.retired;
}

void append_joined(std::vector<Extent>& to, const Extent& extent) {
  if (!to.empty() && to.back().joins(extent)) {
    to.back() = to.back().joined(extent);
  } else {
    to.push_back(extent);
  }
}

}  // namespace

Table::Table() : Table(std::span<const Extent>{}, std::span<const Extent>{}) {}

Table::Table(std::span<const Extent> extents, std::span<const Extent> retired) {
  std::vector<Extent> joined;
  joined.reserve(extents.size());
  for (const Extent& extent : extents) {
    DMREMAP_ASSERT(joined.empty() || joined.back().main().end() <= extent.main().first);
    append_joined(joined, extent);
  }
  auto top = std::make_shared<Top>();
  append_leaves(*top, joined);
  for (const Extent& extent : retired) top->counts.retired += extent.spare().count.value;
  top_ = std::move(top);
  retired_ = std::make_shared<const std::vector<Extent>>(retired.begin(), retired.end());
}

void Table::append_leaves(Top& top, const std::vector<Extent>& extents) {
  const std::size_t leaves = (extents.size() + kLeafExtents - 1) / kLeafExtents;
  std::size_t done = 0;
  for (std::size_t i = 0; i < leaves; ++i) {
    const std::size_t share = (extents.size() - done) / (leaves - i);
    const auto from = extents.begin() + static_cast<std::ptrdiff_t>(done);
    top.firsts.push_back(from->main().first.value);
    top.leaves.push_back(
        std::make_shared<const Leaf>(from, from + static_cast<std::ptrdiff_t>(share)));
    done += share;
  }
  top.extents += extents.size();
  for (const Extent& extent : extents) {
    sectors_of(top.counts, extent.state()) += extent.main().count.value;
  }
}

Table::Place Table::first_ending_after(Sector sector) const {
  const auto& firsts = top_->firsts;
  const auto after = std::upper_bound(firsts.begin(), firsts.end(), sector.value);
  Place place{static_cast<std::size_t>(after - firsts.begin()), 0};
  if (place.leaf == 0) return place;
  // The extent may be in the leaf that begins at or before `sector`.
  const Leaf& leaf = *top_->leaves[place.leaf - 1];
  const auto found = std::partition_point(
      leaf.begin(), leaf.end(), [sector](const Extent& e) { return e.main().end() <= sector; });
  if (found == leaf.end()) return place;
  return {place.leaf - 1, static_cast<std::size_t>(found - leaf.begin())};
}

const Extent* Table::extent_at(Place place) const {
  if (place.leaf >= top_->leaves.size()) return nullptr;
  return &(*top_->leaves[place.leaf])[place.index];
}

Piece Table::piece_at(Sector at, Sector end) const {
  DMREMAP_ASSERT(at < end);
  const Extent* const extent = extent_at(first_ending_after(at));
  const SectorRange asked{at, end - at};
  if (extent == nullptr || !extent->main().overlaps(asked)) return {asked, State::good, {}};
  const SectorRange main = extent->main();
  if (main.first > at) return {{at, main.first - at}, State::good, {}};
  const bool remapped = extent->state() == State::remapped;
  const Sector spare = remapped ? extent->spare().first + (at - main.first) : Sector{};
  return {main.intersect(asked), extent->state(), spare};
}

bool Table::any(SectorRange range) const {
  const Extent* const extent = extent_at(first_ending_after(range.first));
  return extent != nullptr && extent->main().overlaps(range);
}

std::optional<Extent> Table::find(Sector sector) const {
  const Extent* const extent = extent_at(first_ending_after(sector));
  if (extent == nullptr || !extent->main().contains(sector)) return std::nullopt;
  return *extent;
}

Table Table::replaced(SectorRange range, std::span<const Extent> extents) const {
  const Top& old = *top_;
  // Leaves [from, to) are rewritten: those with extents in the range, and those whose extents touch
  // it from outside, because they may join.
  const auto begin = old.firsts.begin();
  auto lower = std::lower_bound(begin, old.firsts.end(), range.first.value);
  auto upper = std::upper_bound(begin, old.firsts.end(), range.end().value);
  std::size_t from = static_cast<std::size_t>(lower - begin);
  std::size_t to = static_cast<std::size_t>(upper - begin);
  if (from > 0) --from;
  std::size_t rewritten = extents.size();
  for (std::size_t i = from; i < to; ++i) rewritten += old.leaves[i]->size();
  if (rewritten < kSmallLeaf && to < old.leaves.size()) ++to;

  std::vector<Extent> merged;
  merged.reserve(rewritten + kLeafExtents);
  auto next = extents.begin();
  const auto insert_before = [&](Sector limit) {
    for (; next != extents.end() && next->main().first < limit; ++next) {
      append_joined(merged, *next);
    }
  };
  auto top = std::make_shared<Top>();
  top->counts = old.counts;
  top->extents = old.extents;
  for (std::size_t i = from; i < to; ++i) {
    top->extents -= old.leaves[i]->size();
    for (const Extent& extent : *old.leaves[i]) {
      const SectorRange main = extent.main();
      sectors_of(top->counts, extent.state()) -= main.count.value;
      if (main.first < range.first) {
        append_joined(merged, extent.slice({main.first, range.first - main.first}));
      }
      if (main.end() <= range.end()) continue;
      insert_before(range.end());
      const Sector start = std::max(main.first, range.end());
      append_joined(merged, extent.slice({start, main.end() - start}));
    }
  }
  insert_before(range.end());
  DMREMAP_ASSERT(next == extents.end());

  top->firsts.reserve(old.firsts.size() + 2);
  top->leaves.reserve(old.leaves.size() + 2);
  const auto at = [](std::size_t i) { return static_cast<std::ptrdiff_t>(i); };
  top->firsts.assign(begin, begin + at(from));
  top->leaves.assign(old.leaves.begin(), old.leaves.begin() + at(from));
  append_leaves(*top, merged);
  top->firsts.insert(top->firsts.end(), begin + at(to), old.firsts.end());
  top->leaves.insert(top->leaves.end(), old.leaves.begin() + at(to), old.leaves.end());

  Table out = *this;
  out.top_ = std::move(top);
  return out;
}

Table Table::with_retired(const Extent& extent) const {
  DMREMAP_ASSERT(extent.state() == State::retired);
  auto retired = std::make_shared<std::vector<Extent>>();
  retired->reserve(retired_->size() + 1);
  const auto after = std::partition_point(
      retired_->begin(), retired_->end(),
      [&extent](const Extent& e) { return e.spare().first < extent.spare().first; });
  for (auto it = retired_->begin(); it != after; ++it) append_joined(*retired, *it);
  DMREMAP_ASSERT(retired->empty() || retired->back().spare().end() <= extent.spare().first);
  append_joined(*retired, extent);
  DMREMAP_ASSERT(after == retired_->end() || extent.spare().end() <= after->spare().first);
  for (auto it = after; it != retired_->end(); ++it) append_joined(*retired, *it);

  Table out = *this;
  auto top = std::make_shared<Top>(*top_);
  top->counts.retired += extent.spare().count.value;
  out.top_ = std::move(top);
  out.retired_ = std::move(retired);
  return out;
}

std::vector<Extent> Table::extents() const {
  std::vector<Extent> out;
  out.reserve(top_->extents);
  for (const auto& leaf : top_->leaves) out.insert(out.end(), leaf->begin(), leaf->end());
  return out;
}

std::size_t Table::leaves_shared_with(const Table& other) const {
  std::unordered_set<const Leaf*> mine;
  for (const auto& leaf : top_->leaves) mine.insert(leaf.get());
  return static_cast<std::size_t>(std::ranges::count_if(
      other.top_->leaves, [&mine](const auto& leaf) { return mine.contains(leaf.get()); }));
}

}  // namespace dmremap::remap
