// SPDX-License-Identifier: GPL-2.0-or-later
// Moves sectors to the spare while main can still read them: by hand, and lost ones that main reads
// again (asked in the background). Gone ones are never asked. Its thread looks after the suspect
// ones (suspects.hpp) and the failing ones (spare_recheck.hpp) too.
#pragma once

#include "remap/data_path.hpp"
#include "remap/device/spare_recheck.hpp"
#include "remap/task/suspects.hpp"
#include "remap/writer/quiesced_range.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

class Relocator {
 public:
  // Starts the background thread.
  Relocator(DataPath& path, Remapper& remapper, Recovery& recovery);
  ~Relocator();

  // As Engine::relocate.
  Result<RelocationReport> relocate(SectorRange range);
  // As Engine::retry.
  Result<RetryReport> retry(SectorRange range, const RetryProgress& go_on);
  // One round over the lost sectors.
  void recheck_lost();
  // Ends the background thread. May be called again.
  void stop();
  // After stop(): starts it again. Not called at the same time as that.
  void go_on();

 private:
  struct ChunkRead;
  // What became of lost sectors that main was asked for again.
  struct Recheck {
    int error = 0;                    // main did not read them
    Outcome outcome = Outcome::done;  // of taking what it read to the spare
  };
  Result<void> relocate_held(SectorRange range, RelocationReport& done);
  void read_stretch(SectorRange range, std::span<std::byte> buffer, SectorRange whole,
                    std::uint64_t deadline_ns, ChunkRead& chunk_read);
  Result<void> bind(QuiescedRange& quiesced, SectorRange whole, const ChunkRead& chunk_read,
                    RelocationReport& done);
  Recheck recheck(SectorRange range, std::span<std::byte> buffer);
  Result<void> retry_lost(SectorRange lost, const RetryProgress& go_on, RetryReport& done);
  void retry_suspect(SectorRange suspect, const RetryProgress& go_on, RetryReport& done);
  void loop();
  [[nodiscard]] bool stopping();

  DataPath& path_;
  Remapper& remapper_;
  Recovery& recovery_;
  Suspects suspects_;
  SpareRecheck spare_recheck_;
  Mutex mutex_;
  Condition wake_;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace dmremap::remap
