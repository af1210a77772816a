// SPDX-License-Identifier: GPL-2.0-or-later
// A walk over a range of main as a C++ range: for (const Piece& piece : table.pieces(range)). Finds
// each part only when it is asked for and allocates nothing, so leaving the loop early costs
// nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <iterator>

#include "base/units.hpp"

namespace dmremap::table {

class Table;

// A walk whose parts are `Part`s. kPartAt(table, at, end) is the first part of [at, end), which
// begins at `at`; kRangeOf names its range. An input range: the parts are made on the way. Valid
// while the table lives.
template <typename Part, auto kPartAt, auto kRangeOf>
class Walk {
 public:
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Part;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(const Table& table, SectorRange range) : table_(&table), end_(range.end()) {
      if (range.empty()) {
        at_end_ = true;
      } else {
        part_ = std::invoke(kPartAt, table, range.first, end_);
      }
    }

    [[nodiscard]] const Part& operator*() const { return part_; }
    [[nodiscard]] const Part* operator->() const { return &part_; }
    Iterator& operator++() {
      const Sector next = std::invoke(kRangeOf, part_).end();
      if (next < end_) {
        part_ = std::invoke(kPartAt, *table_, next, end_);
      } else {
        at_end_ = true;
      }
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& iterator, std::default_sentinel_t /*end*/) {
      return iterator.at_end_;
    }

   private:
    const Table* table_ = nullptr;
    Sector end_;
    Part part_;
    bool at_end_ = false;
  };

  Walk(const Table& table, SectorRange range) : table_(table), range_(range) {}
  // A table that is gone by the time its parts are looked at.
  Walk(const Table&& table, SectorRange range) = delete;

  [[nodiscard]] Iterator begin() const { return {table_, range_}; }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  const Table& table_;
  SectorRange range_;
};

}  // namespace dmremap::table
