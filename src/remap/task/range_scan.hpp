// SPDX-License-Identifier: GPL-2.0-or-later
// Reads a range to see whether it can be read still: the scanner's part of the engine. When and
// what is scanned is decided elsewhere (src/health).
//
// A failed read is settled as a user's is (recovery.hpp). Nothing is pinned or counted: nobody gets
// the data, so it does not matter if a write comes meanwhile, and what is settled is looked up
// anew.
#pragma once

#include "base/aligned_buffer.hpp"
#include "remap/data_path.hpp"
#include "remap/request/recovery.hpp"
#include "remap/task/suspects.hpp"
#include "remap/writer/remapper.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

// Thread-safe: one call at a time reads, others wait for it.
class RangeScan {
 public:
  RangeScan(DataPath& path, Remapper& remapper, Recovery& recovery);

  // As Engine's, of a range of whole units inside main.
  ScanReport scan(SectorRange range, const ContinueCheck& go_on);
  SectorCount measure_slow(SectorRange range, const ContinueCheck& go_on);

 private:
  // False: the scan cannot go on.
  bool scan_stretch(const table::Stretch& stretch, const ContinueCheck& go_on, ScanReport& report);
  // False: something there does not read, and it could not be recorded.
  bool settle(SectorRange range, const ContinueCheck& go_on, ScanReport& report);

  DataPath& path_;
  Recovery& recovery_;
  Mutex mutex_;
  Suspects suspects_;
  AlignedBuffer buffer_;
};

}  // namespace dmremap::remap
