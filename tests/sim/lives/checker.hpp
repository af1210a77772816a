// SPDX-License-Identifier: GPL-2.0-or-later
// What may be read: for each sector all that was written to it and may still be there, by the
// promises. Every write has a stamp of its own, so what is read names the write it came from.
//
// Times are ticks of one counter. A version is superseded for a read once a later write of the
// sector was acknowledged before the read began. It may come back only where a device loses what it
// had not been told to make durable: at a power cut, or by a flush that failed; never after a flush
// that succeeded, and never by the death of the process alone.
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/units.hpp"

namespace dmremap::sim {

using Stamp = std::uint64_t;  // 0: zeros
inline constexpr Stamp kZeros = 0;

// Fills whole sectors from `first` on with the stamp, and each sector's number.
void put_stamp(std::span<std::byte> data, Sector first, Stamp stamp);

class Checker {
 public:
  using Tick = std::uint64_t;

  // Every sector holds `initial`, durably.
  Checker(SectorCount size, Stamp initial);

  [[nodiscard]] Tick tick() { return ++now_; }

  // A write, or zeroes (stamp kZeros), from its begin to what became of it.
  struct Write {
    SectorRange range;
    Stamp stamp = 0;
    Tick begun = 0;
  };
  enum class Outcome {
    acknowledged,
    durable,  // acknowledged, by FUA
    may_be,   // an error, or a discard: there or not, and nothing follows any more
    none,     // refused before anything was done
  };
  [[nodiscard]] Write begin_write(SectorRange range);
  [[nodiscard]] Write begin_zeroes(SectorRange range);
  void end(const Write& write, Outcome outcome);

  [[nodiscard]] Tick begin_read();
  // Empty if what was read between `begun` and now is right for every sector; else what is wrong.
  // No data: it failed.
  [[nodiscard]] std::string end_read(Tick begun, Sector first, std::span<const std::byte> data);

  [[nodiscard]] Tick begin_flush() { return tick(); }
  // Empty, or what is wrong about a success.
  [[nodiscard]] std::string end_flush(Tick begun, bool ok);

  // What was acknowledged, may still be lost, and nobody was told that it might be.
  struct Unsettled {
    Sector sector;
    Stamp oldest = 0;  // that may be there: of a write that had not ended when this one began
  };
  [[nodiscard]] std::vector<Unsettled> unsettled() const;
  // A device has lost some of what was not durable, and must say so at the next flush if `telling`.
  void lose_unflushed(bool telling);
  // The process is no more; what it had in flight is there or not.
  void killed();
  // And the devices have lost any part of what they held in their caches.
  void power_cut();

  // For the text of a failure.
  [[nodiscard]] std::string describe(Sector sector) const;

 private:
  static constexpr Tick kNever = std::numeric_limits<Tick>::max();
  struct Version {
    Stamp stamp = 0;
    Tick begun = 0;
    Tick ended = kNever;
    bool supersedes = false;  // acknowledged, and not lost since
    bool lost = false;        // by a device, perhaps, while it was in flight
    bool stable = false;      // acknowledged before a flush that succeeded
    bool certain = false;     // nothing can take it away but a write: one of those is what is there
  };
  using Versions = std::vector<Version>;

  Write begin(SectorRange range, Stamp stamp);
  void prune(Versions& versions) const;
  [[nodiscard]] bool allowed(Versions& versions, Stamp stamp, Tick begun);

  std::vector<Versions> sectors_;
  std::set<Tick> reading_;        // begins of the reads in flight
  std::vector<Sector> unstable_;  // have versions that are not stable; may name a sector twice
  Tick now_ = 0;
  Stamp last_stamp_;
  bool untold_loss_ = false;
  Tick loss_at_ = 0;
};

}  // namespace dmremap::sim
