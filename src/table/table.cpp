// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/table.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "base/assert.hpp"

namespace dmremap::table {

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

void append_extents(const LeafView& leaf, std::vector<Extent>& to) {
  for (std::size_t i = 0; i < leaf.size(); ++i) to.push_back(leaf[i]);
}

std::uint64_t by_main(const Extent& extent) {
  return extent.main().first.value;
}

SpareAddress by_spare(const Extent& extent) {
  return extent.spare().first;
}

// Of two lists that are sorted by `order`, what only one of them holds.
template <typename Order>
format::TableChange difference(std::span<const Extent> before, std::span<const Extent> now,
                               const Order& order) {
  format::TableChange out;
  auto old = before.begin();
  for (const Extent& extent : now) {
    for (; old != before.end() && order(*old) < order(extent); ++old) out.removed.push_back(*old);
    if (old != before.end() && *old == extent) {
      ++old;
      continue;
    }
    out.added.push_back(extent);
  }
  out.removed.insert(out.removed.end(), old, before.end());
  return out;
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
  const LeafGroup leaves = make_leaves(*top, joined);
  for (const Leaf& leaf : leaves) {
    top->firsts.push_back(leaf.first().value);
    top->leaves.push_back(leaf);
  }
  append_groups(*top, leaves);
  for (const Extent& extent : retired) top->counts.retired += extent.spare().count.value;
  top_ = std::move(top);
  retired_ = std::make_shared<const std::vector<Extent>>(retired.begin(), retired.end());
}

Table::LeafGroup Table::make_leaves(Top& top, const std::vector<Extent>& extents) {
  LeafGroup out;
  std::span<const Extent> rest(extents);
  while (!rest.empty()) {
    const std::size_t leaves = (rest.size() + kLeafExtents - 1) / kLeafExtents;
    const std::size_t share = rest.size() / leaves;
    const Sector first = rest.front().main().first;
    const auto end = std::partition_point(
        rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(share),
        [first](const Extent& extent) { return extent.main().first - first < Leaf::kSpan; });
    const auto part = rest.first(static_cast<std::size_t>(end - rest.begin()));
    out.emplace_back(part);
    rest = rest.subspan(part.size());
  }
  top.extents += extents.size();
  for (const Extent& extent : extents) {
    sectors_of(top.counts, extent.state()) += extent.main().count.value;
  }
  return out;
}

void Table::append_groups(Top& top, const LeafGroup& leaves) {
  const std::size_t groups = (leaves.size() + kGroupLeaves - 1) / kGroupLeaves;
  for (std::size_t i = 0; i < groups; ++i) {
    const auto at = [&](std::size_t group) {
      return leaves.begin() + static_cast<std::ptrdiff_t>(leaves.size() * group / groups);
    };
    top.groups.push_back(std::make_shared<const LeafGroup>(at(i), at(i + 1)));
  }
}

Table::There Table::look(Sector sector) const {
  // More leaves than the caches hold: what the search in one will read is asked for at once.
  constexpr std::size_t kManyLeaves = 64;
  const Top& top = *top_;
  const std::size_t leaves = top.firsts.size();
  if (leaves == 0) return {};
  const std::uint64_t* const firsts = top.firsts.data();
  if (sector.value < firsts[0]) return {nullptr, 0, Sector{firsts[0]}};
  const std::uint64_t* last_begun = firsts;
  for (std::size_t n = leaves; n > 1;) {
    const std::size_t half = n / 2;
    last_begun = half_the_time(last_begun[half] <= sector.value) ? last_begun + half : last_begun;
    n -= half;
  }
  const auto at = static_cast<std::size_t>(last_begun - firsts);
  const LeafView& leaf = top.leaves[at];
  if (leaves > kManyLeaves) leaf.prefetch();
  const std::size_t index = leaf.last_begun(sector);
  if (leaf.main(index).contains(sector)) return {&leaf, index, std::nullopt};
  if (index + 1 < leaf.size()) return {nullptr, 0, leaf.first_of(index + 1)};
  if (at + 1 < leaves) return {nullptr, 0, Sector{firsts[at + 1]}};
  return {};
}

Piece Table::piece_at(Sector at, Sector end) const {
  DMREMAP_ASSERT(at < end);
  const There there = look(at);
  if (there.leaf == nullptr) {
    const Sector until = there.next ? std::min(*there.next, end) : end;
    return {{at, until - at}, State::good, {}};
  }
  const SectorRange main = there.leaf->main(there.index);
  const State state = there.leaf->state(there.index);
  const bool remapped = state == State::remapped;
  const SpareAddress spare =
      remapped ? there.leaf->spare(there.index) + (at - main.first) : SpareAddress{};
  return {{at, std::min(main.end(), end) - at}, state, spare};
}

bool Table::any(SectorRange range) const {
  if (range.empty()) return false;
  const There there = look(range.first);
  return there.leaf != nullptr || (there.next && *there.next < range.end());
}

std::optional<Extent> Table::find(Sector sector) const {
  const There there = look(sector);
  if (there.leaf == nullptr) return std::nullopt;
  return (*there.leaf)[there.index];
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
  for (std::size_t i = from; i < to; ++i) rewritten += old.leaves[i].size();
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
    const LeafView& leaf = old.leaves[i];
    top->extents -= leaf.size();
    for (std::size_t j = 0; j < leaf.size(); ++j) {
      const Extent extent = leaf[j];
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

  replace_leaves(old, {from, to}, make_leaves(*top, merged), *top);

  Table out = *this;
  out.top_ = std::move(top);
  return out;
}

// `now` gets the leaves of `old`, those of `range` replaced by `leaves`.
void Table::replace_leaves(const Top& old, LeafRange range, const LeafGroup& leaves, Top& now) {
  const auto at = [](std::size_t i) { return static_cast<std::ptrdiff_t>(i); };
  now.firsts.reserve(old.firsts.size() + leaves.size());
  now.leaves.reserve(old.leaves.size() + leaves.size());
  now.firsts.assign(old.firsts.begin(), old.firsts.begin() + at(range.from));
  now.leaves.assign(old.leaves.begin(), old.leaves.begin() + at(range.from));
  for (const Leaf& leaf : leaves) {
    now.firsts.push_back(leaf.first().value);
    now.leaves.push_back(leaf);
  }
  now.firsts.insert(now.firsts.end(), old.firsts.begin() + at(range.to), old.firsts.end());
  now.leaves.insert(now.leaves.end(), old.leaves.begin() + at(range.to), old.leaves.end());

  // The groups that own a replaced leaf become new ones, with their other leaves and the new ones.
  std::size_t first_group = 0;
  std::size_t end = 0;  // of the leaves whose groups were passed
  while (first_group + 1 < old.groups.size() &&
         end + old.groups[first_group]->size() <= range.from) {
    end += old.groups[first_group++]->size();
  }
  LeafGroup before;
  LeafGroup after;
  std::size_t end_group = first_group;
  const auto is_small = [&] {
    return before.size() + leaves.size() + after.size() < kGroupLeaves / 4;
  };
  while (end_group < old.groups.size() &&
         (end_group == first_group || end < range.to || is_small())) {
    for (const Leaf& leaf : *old.groups[end_group++]) {
      if (end < range.from) before.push_back(leaf);
      if (end >= range.to) after.push_back(leaf);
      ++end;
    }
  }
  before.insert(before.end(), leaves.begin(), leaves.end());
  before.insert(before.end(), after.begin(), after.end());
  now.groups.assign(old.groups.begin(), old.groups.begin() + at(first_group));
  append_groups(now, before);
  now.groups.insert(now.groups.end(), old.groups.begin() + at(end_group), old.groups.end());
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
  for (const LeafView& leaf : top_->leaves) append_extents(leaf, out);
  return out;
}

format::TableChange Table::change_from(const Table& before) const {
  const std::vector<LeafView>& old = before.top_->leaves;
  const std::vector<LeafView>& now = top_->leaves;
  std::vector<Extent> removed;
  std::vector<Extent> added;
  // A leaf that both share begins where it began: two walks by first sector meet at it.
  for (std::size_t i = 0, j = 0; i < old.size() || j < now.size();) {
    if (i < old.size() && j < now.size() && old[i].identity() == now[j].identity()) {
      ++i;
      ++j;
      continue;
    }
    const bool is_old = j == now.size() || (i < old.size() && old[i].first() <= now[j].first());
    append_extents(is_old ? old[i++] : now[j++], is_old ? removed : added);
  }
  format::TableChange out = difference(removed, added, by_main);
  if (retired_ != before.retired_) {
    const format::TableChange retired = difference(*before.retired_, *retired_, by_spare);
    out.removed.insert(out.removed.end(), retired.removed.begin(), retired.removed.end());
    out.added.insert(out.added.end(), retired.added.begin(), retired.added.end());
  }
  return out;
}

std::size_t Table::owned_leaves() const {
  std::size_t out = 0;
  for (const auto& group : top_->groups) out += group->size();
  return out;
}

std::size_t Table::leaves_shared_with(const Table& other) const {
  std::unordered_set<const void*> mine;
  for (const LeafView& leaf : top_->leaves) mine.insert(leaf.identity());
  return static_cast<std::size_t>(std::ranges::count_if(
      other.top_->leaves,
      [&mine](const LeafView& leaf) { return mine.contains(leaf.identity()); }));
}

}  // namespace dmremap::table
