// SPDX-License-Identifier: GPL-2.0-or-later
// Which regions of main hold writes that were acknowledged and may not be durable, and whether a
// flush of them has begun and not ended well.
//
// A region is dirty from the end of a write until a flush begins; it is covered while that flush
// goes on; then it is neither, or dirty again. At every instant it is in one of the two, also for a
// process that reads the memory of one that was killed.
//
// A flush that failed can be lost with the process that was about to tell of it: the front end asks
// again (a ublk device that is recovered sends it again), main's cache is empty by now, and the
// second flush succeeds although what the first covered is gone. So a flush leaves a doubt before
// main is asked, which only one that ended well, and whose caller will be told so, takes away. Who
// takes over such a device counts a flush that is in doubt as failed. The flushes of the spares are
// in doubt likewise; which of their sectors are unflushed is not kept.
//
//   at         bytes    what
//   0          8        not 0: a flush of main is in doubt
//   8          8        a bit for each spare, by index, whose flush is in doubt
//   16         48       unused
//   64         n        the dirty regions: DirtyRegions
//   64 + n     n        the covered ones
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/spare_address.hpp"
#include "base/units.hpp"
#include "table/dirty_regions.hpp"

namespace dmremap::table {

// Thread-safe, but for begin_flush and what ends a flush: one thread at a time.
class UnflushedWrites {
 public:
  // `memory` has bytes_for(main_size) bytes, aligned to 64, is zeroed and outlives this.
  UnflushedWrites(SectorCount main_size, std::span<std::byte> memory);
  [[nodiscard]] static std::size_t bytes_for(SectorCount main_size);

  // Call when a write is done, before it is acknowledged. `range` is not empty.
  void add(SectorRange range) { dirty_.add(range); }

  [[nodiscard]] bool any() const { return dirty_.any() || covered_.any(); }
  [[nodiscard]] bool any(SectorRange range) const {
    return dirty_.any(range) || covered_.any(range);
  }
  void copy_to(DirtyRegions& into) const;

  // Before main is asked to flush: what is dirty is covered from now on.
  void begin_flush();
  [[nodiscard]] const DirtyRegions& covered() const { return covered_; }
  // The regions that were covered are durable, or what became of them was settled.
  void end_flush() { covered_.clear(); }
  // The device was not there and so has not lost them: they are as dirty as before.
  void cancel_flush() { covered_.move_to(dirty_); }
  // Before main is asked for any flush, whoever wants it: each takes the one answer that tells of a
  // lost write. A kill before this: main was not asked yet. A kill after it: nobody knows what main
  // answered.
  void begin_doubt() { in_doubt_->store(1); }
  // The flush went well, and who asked for it will be told so.
  void end_doubt() { in_doubt_->store(0); }
  // The same of a flush of one spare.
  void begin_doubt(SpareIndex spare) { spares_in_doubt_->fetch_or(bit_of(spare)); }
  void end_doubt(SpareIndex spare) { spares_in_doubt_->fetch_and(~bit_of(spare)); }

  // Where writes began in regions that became dirty lately, the newest last; forgets them.
  [[nodiscard]] std::vector<Sector> take_recent() { return dirty_.take_recent(); }

  // Of the memory of a process that is no more. Total on any bytes: true where they do not tell.
  [[nodiscard]] static bool any_in(std::span<const std::byte> memory, SectorCount main_size,
                                   SectorRange range);
  [[nodiscard]] static bool is_flush_in_doubt(std::span<const std::byte> memory);
  [[nodiscard]] static bool is_spare_flush_in_doubt(std::span<const std::byte> memory);
  // The regions that hold what is unflushed, in order, neighbours joined; the last one ends with
  // main. None where the bytes are not of a main of this size.
  [[nodiscard]] static std::vector<SectorRange> regions_in(std::span<const std::byte> memory,
                                                           SectorCount main_size);

 private:
  [[nodiscard]] static std::uint64_t bit_of(SpareIndex spare) {
    return std::uint64_t{1} << position_of(spare);
  }

  std::atomic<std::uint64_t>* in_doubt_;
  std::atomic<std::uint64_t>* spares_in_doubt_;
  DirtyRegions dirty_;
  DirtyRegions covered_;
};

}  // namespace dmremap::table
