// SPDX-License-Identifier: GPL-2.0-or-later
// The table of a set, immutable: what is not good on main, and where it is. Changing it makes a new
// table that shares all leaves but the touched ones, so that publishing a change to a table of a
// million extents copies some kilobytes.
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
  Sector spare;

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

  Table();
  // Requires `extents` sorted by main sector and disjoint, `retired` sorted by spare sector and
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

 private:
  struct Top {
    std::vector<std::uint64_t> firsts;  // first main sector of each leaf
    std::vector<Leaf> leaves;
    std::size_t extents = 0;
    StateCounts counts;
  };
  // What there is at a sector: an extent that covers it, or where the next one begins.
  struct There {
    const Leaf* leaf = nullptr;  // of the extent, null: none covers it
    std::size_t index = 0;
    std::optional<Sector> next;
  };

  [[nodiscard]] There look(Sector sector) const;
  static void append_leaves(Top& top, const std::vector<format::Extent>& extents);

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
