// SPDX-License-Identifier: GPL-2.0-or-later
// FLUSH: main's and the spare's caches. A failure is returned and never retried into success; then
// what was written to main since the last good flush is read back, and what cannot be read is gone:
// the drive may still hold the version before, which nobody must get.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "remap/request/recovery.hpp"

namespace dmremap::remap {

class FlushPath {
 public:
  FlushPath(DataPath& path, Recovery& recovery) : path_(path), recovery_(recovery) {}

  // As Engine's.
  io::IoStatus flush();
  io::IoStatus flush_for(FlushHeard& heard, RequestTimer* timer);
  void begin_hearing(FlushHeard& heard) const;

 private:
  FlushGate::UserFlush flush_main(FlushGate::Mark heard);
  // `doubtful`: the regions that have to be read back, in order. True if those that were written
  // past this process have to be, too.
  [[nodiscard]] bool end_flush(io::IoStatus flushed, std::vector<std::uint64_t>& doubtful);
  [[nodiscard]] bool add_unflushed(std::vector<std::uint64_t>& doubtful);
  void read_back(std::uint64_t region, std::span<std::byte> buffer);

  DataPath& path_;
  Recovery& recovery_;
};

}  // namespace dmremap::remap
