// SPDX-License-Identifier: GPL-2.0-or-later
// Which sectors of one spare may take data. Derived from the table whenever a set is opened, never
// stored: what the table names is taken, what holds metadata is reserved, all else is free. So
// nothing can be handed out twice, whatever crash came before.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>

#include "base/result.hpp"
#include "base/spare_address.hpp"
#include "base/units.hpp"
#include "table/table.hpp"

namespace dmremap::table {

// Not thread-safe: the remapper's.
class Allocator {
 public:
  // `reserved` sorted, on the spare; of `table` what it names of this spare; `unit`: main's logical
  // block, to which every run is aligned. Errors: metadata_doubtful if the table names spare
  // sectors twice, outside the spare or inside the metadata.
  static Result<Allocator> of(SpareIndex index, SectorCount spare_size,
                              std::span<const SectorRange> reserved, const Table& table,
                              SectorCount unit);

  // A free run of at most `wanted` sectors: whole if there is a place for it, else a part. Nothing:
  // none is free. Requires wanted to be whole units and not 0.
  [[nodiscard]] std::optional<SpareRange> allocate(SectorCount wanted);
  // Goes on looking that much further ahead, at the beginning again once past the end.
  void skip(SectorCount ahead);

  // Where the next run is looked for first.
  [[nodiscard]] SpareAddress position() const { return {index_, next_}; }
  void go_to(SpareAddress position) { next_ = position.sector; }

  // Free at once: allocated here, but no published table ever named it.
  void give_back(SpareRange range);
  // Free once every request that began before `epoch` has ended: a published table named it, and
  // the commit that no longer does is acknowledged.
  void free_after(SpareRange range, std::uint64_t epoch);
  // `oldest`: the epoch of the oldest request in flight (Pins::oldest).
  void reclaim(std::uint64_t oldest);

  // The spare ends at `spare_size` from now on, and what came behind its end is free, but for
  // `signposts`, an area there or empty; where they lay before, `former`, is free too. Requires
  // that the commit is acknowledged that says so, and that it is no smaller than before.
  void grow(SectorCount spare_size, SectorRange signposts, SectorRange former);

  [[nodiscard]] SectorCount capacity() const { return capacity_; }  // all that is not reserved
  [[nodiscard]] SectorCount available() const { return available_; }

 private:
  struct Waiting {
    SectorRange range;
    std::uint64_t epoch = 0;
  };
  using FreeRuns = std::map<std::uint64_t, std::uint64_t>;  // first sector, count

  explicit Allocator(SpareIndex index) : index_(index) {}
  void add(SectorRange range);
  void add_room(Sector first, Sector end);
  SpareRange take(FreeRuns::iterator run, Sector first, SectorCount wanted);

  SpareIndex index_;
  FreeRuns free_;
  std::deque<Waiting> waiting_;
  SectorCount capacity_;
  SectorCount available_;
  SectorCount unit_;
  Sector end_;   // of the spare
  Sector tail_;  // from here to the end nothing is reserved, nor was taken at first
  Sector next_;  // where the last run ended: a burst of neighbours stays together
};

}  // namespace dmremap::table
