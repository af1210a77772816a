// SPDX-License-Identifier: GPL-2.0-or-later
// Renews the evidence of main's contents (evidence.hpp) in the background: after a flush that made
// something durable it reads back a few of the blocks that were written, where a file system keeps
// its superblock, and some blocks all over the disk, so that there is always something. At most a
// few reads in an interval, none before a user's first flush unless main was left settled, none
// while nothing is flushed, none of sectors that are not good, none while the breaker is tripped.
//
// About once a minute an older entry is read again. Other contents, twice, with the entry valid
// before and after, mean that main did not keep what it was told to keep: it says so as a condition
// of the set (DataPath::note_changed_contents).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/periodic_thread.hpp"
#include "remap/data_path.hpp"

namespace dmremap::remap {

class EvidenceSampler {
 public:
  // Starts the thread.
  EvidenceSampler(DataPath& path, std::chrono::milliseconds interval);
  void stop() { thread_.stop(); }

 private:
  void round();
  void sample_recent();
  void sample_places(std::size_t most);
  // False: main was not read.
  bool sample(SectorRange block, bool recent);
  void recheck();

  [[nodiscard]] bool served_by_main(SectorRange block) const;
  [[nodiscard]] std::optional<std::uint64_t> read(SectorRange block);
  [[nodiscard]] SectorRange block_at(Sector sector) const;

  DataPath& path_;
  std::vector<SectorRange> places_;  // sampled whenever they have no entry, in this order
  std::size_t next_place_ = 0;
  std::optional<std::uint64_t> flushes_seen_;
  std::uint64_t recheck_at_ns_ = 0;
  std::size_t next_recheck_ = 0;
  AlignedBuffer buffer_;
  PeriodicThread thread_;  // the last: it uses what is above
};

}  // namespace dmremap::remap
