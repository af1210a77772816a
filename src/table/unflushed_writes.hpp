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
// takes over such a device counts a flush that is in doubt as failed.
//
//   at         bytes    what
//   0          64       a word of 8 bytes, not 0: a flush is in doubt; the rest unused
//   64         n        the dirty regions: DirtyRegions
//   64 + n     n        the covered ones
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

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

  // Where writes began in regions that became dirty lately, the newest last; forgets them.
  [[nodiscard]] std::vector<Sector> take_recent() { return dirty_.take_recent(); }

  // Of the memory of a process that is no more. Total on any bytes: true where they do not tell.
  [[nodiscard]] static bool any_in(std::span<const std::byte> memory, SectorCount main_size,
                                   SectorRange range);
  [[nodiscard]] static bool is_flush_in_doubt(std::span<const std::byte> memory);

 private:
  std::atomic<std::uint64_t>* in_doubt_;
  DirtyRegions dirty_;
  DirtyRegions covered_;
};

}  // namespace dmremap::table
