// SPDX-License-Identifier: GPL-2.0-or-later
// Finds sectors that main still reads, but far slower than their neighbours, lists them as suspect,
// and measures them again later.
//
// A clean request pays nothing for it: a slow one is in flight at two looks in a row. That only
// says where to measure. Whether a place is slow is measured later, block by block and against its
// neighbours, when the drive no longer has it in its cache and other load is over.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "remap/data_path.hpp"
#include "remap/request/recovery.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

// One thread at a time. The relocator has one, and the scan another.
class Suspects {
 public:
  Suspects(DataPath& path, Remapper& remapper, Recovery& recovery);

  // How often to look: a request that lasts twice as long is found.
  static constexpr std::chrono::milliseconds kLookEvery{500};
  void look();

  // Measures one of the places that were seen long enough ago, and lists what is far slower than
  // its neighbours. May take as long as a drive takes to read or to fail.
  void examine(const ContinueCheck& go_on);
  // Measures a place now, block by block; returns how much of it was listed that was not before.
  SectorCount measure(SectorRange range, const ContinueCheck& go_on);
  // Reads what is listed: what fails becomes lost, what is slow again moves to the spare while it
  // can still be read, and all else is good.
  void recheck(const ContinueCheck& go_on);
  // The same for a range of which all is listed; false if `go_on` ended it.
  bool recheck(SectorRange listed, const ContinueCheck& go_on);

 private:
  struct SlowPlace {
    SectorRange range;
    std::uint64_t seen_ns = 0;
  };
  struct TimedRead {
    int error = 0;
    std::uint64_t ns = 0;
  };

  void note(SectorRange range);
  TimedRead read_timed(SectorRange range);
  void take_failed(SectorRange range, int error, const ContinueCheck& go_on);
  // Times of good blocks before and behind `range`.
  std::vector<std::uint64_t> time_neighbours(SectorRange range, const ContinueCheck& go_on);
  [[nodiscard]] static bool served_by_main(const table::Table& table, SectorRange range);
  // False: nothing was marked.
  bool mark(Item::Kind kind, const std::vector<SectorRange>& ranges);
  void move(SectorRange range);

  DataPath& path_;
  Remapper& remapper_;
  Recovery& recovery_;
  AlignedBuffer buffer_;  // one block
  std::vector<table::Pins::InFlight> last_look_;
  std::deque<SlowPlace> places_;
};

}  // namespace dmremap::remap
