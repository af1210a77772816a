// SPDX-License-Identifier: GPL-2.0-or-later
// The table of a set, immutable: what is not good on main, and where it is. Changing it makes a new
// table that shares all leaves but the touched ones, so that publishing a change to a table of a
// million extents copies some kilobytes. What a search reads of the leaves, where each begins and
// where its bytes are, is two flat lists, which are copied as a whole. Counting who shares a leaf
// would cost more than that copy: the count is kept for groups of leaves.
//
// Invariants: extents are sorted by main sector, disjoint and not empty; no two neighbours join
// (format::Extent::joins); a leaf holds 1 to kLeafExtents of them (leaf.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "format/extent.hpp"
#include "format/table_image.hpp"
#include "table/leaf.hpp"
#include "table/walk.hpp"

namespace dmremap::table {

// A run of main sectors of one state; `spare` means something for remapped ones.
struct Piece {
  SectorRange main;
  format::State state = format::State::good;
  SpareAddress spare;

  bool operator==(const Piece&) const = default;
};

// Sectors by state.
struct StateCounts {
  std::uint64_t suspect = 0;
  std::uint64_t lost = 0;
  std::uint64_t gone = 0;
  std::uint64_t remapped = 0;
  std::uint64_t retired = 0;

  bool operator==(const StateCounts&) const = default;
};

// A value: copying shares. Any number of threads may read one table.
class Table {
 public:
  static constexpr std::size_t kLeafExtents = Leaf::kExtents;
  static constexpr std::size_t kGroupLeaves = 64;

  Table();
  // Requires `extents` sorted by main sector and disjoint, `retired` sorted by spare address and
  // disjoint.
  Table(std::span<const format::Extent> extents, std::span<const format::Extent> retired);

  // The first piece of [at, end): from `at` to where its state, place or extent ends. Requires
  // at < end.
  [[nodiscard]] Piece piece_at(Sector at, Sector end) const;
  // All pieces of `range`, in order, for a loop. The table must outlive it.
  class Pieces;
  [[nodiscard]] Pieces pieces(SectorRange range) const&;
  Pieces pieces(SectorRange range) const&& = delete;
  // Does any extent overlap `range`?
  [[nodiscard]] bool any(SectorRange range) const;
  // The extent that covers `sector`.
  [[nodiscard]] std::optional<format::Extent> find(Sector sector) const;

  // This table with every state inside `range` replaced by `extents` (sorted, disjoint, inside
  // `range`; where there is none, sectors become good). Extents that reach out of the range keep
  // their outer parts.
  [[nodiscard]] Table replaced(SectorRange range, std::span<const format::Extent> extents) const;
  // This table with one more run of retired spare sectors. Requires a retired extent that overlaps
  // no other.
  [[nodiscard]] Table with_retired(const format::Extent& extent) const;

  [[nodiscard]] std::size_t size() const { return top_->extents; }
  [[nodiscard]] const StateCounts& counts() const { return top_->counts; }
  [[nodiscard]] std::vector<format::Extent> extents() const;
  [[nodiscard]] const std::vector<format::Extent>& retired() const { return *retired_; }

  // What makes this table of `before`. Leaves that both share are not looked into, so that it costs
  // a glance at each leaf and the extents of those that changed.
  [[nodiscard]] format::TableChange change_from(const Table& before) const;

  // For tests of sharing: how many leaves of this table are also in `other`, and how many there
  // are.
  [[nodiscard]] std::size_t leaves_shared_with(const Table& other) const;
  [[nodiscard]] std::size_t leaves() const { return top_->leaves.size(); }
  // How many are kept alive by this table: no more than there are.
  [[nodiscard]] std::size_t owned_leaves() const;

 private:
  // Neighbouring leaves, which live as long as any table that shares one of them. About
  // kGroupLeaves.
  using LeafGroup = std::vector<Leaf>;
  struct Top {
    std::vector<std::uint64_t> firsts;  // first main sector of each leaf
    std::vector<LeafView> leaves;
    std::vector<std::shared_ptr<const LeafGroup>> groups;  // the owners of `leaves`, in their order
    std::size_t extents = 0;
    StateCounts counts;
  };
  // What there is at a sector: an extent that covers it, or where the next one begins.
  struct There {
    const LeafView* leaf = nullptr;  // of the extent, null: none covers it
    std::size_t index = 0;
    std::optional<Sector> next;
  };

  [[nodiscard]] There look(Sector sector) const;
  // The leaves of `extents`; counts them in `top`.
  static LeafGroup make_leaves(Top& top, const std::vector<format::Extent>& extents);
  struct LeafRange {
    std::size_t from;
    std::size_t to;
  };
  static void replace_leaves(const Top& old, LeafRange range, const LeafGroup& leaves, Top& now);
  // Makes `leaves` the owners of the leaves that follow in `top`.
  static void append_groups(Top& top, const LeafGroup& leaves);

  std::shared_ptr<const Top> top_;
  std::shared_ptr<const std::vector<format::Extent>> retired_;
};

class Table::Pieces : public Walk<Piece, &Table::piece_at, &Piece::main> {
 public:
  using Walk::Walk;
};

inline Table::Pieces Table::pieces(SectorRange range) const& {
  return {*this, range};
}

}  // namespace dmremap::table
