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
  // One round over the lost sectors.
  void recheck_lost();
  void stop();

 private:
  struct ChunkRead;
  Result<void> relocate_held(SectorRange range, RelocationReport& done);
  void read_stretch(SectorRange range, std::span<std::byte> buffer, SectorRange whole,
                    std::uint64_t deadline_ns, ChunkRead& chunk_read);
  Result<void> bind(QuiescedRange& quiesced, SectorRange whole, const ChunkRead& chunk_read,
                    RelocationReport& done);
  void recheck(SectorRange range, std::span<std::byte> buffer);
  void loop();
  [[nodiscard]] bool stopping();

  DataPath& path_;
  Remapper& remapper_;
  Suspects suspects_;
  SpareRecheck spare_recheck_;
  Mutex mutex_;
  Condition wake_;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace dmremap::remap
