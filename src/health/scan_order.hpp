// SPDX-License-Identifier: GPL-2.0-or-later
// What the scanner reads next. A state machine of values: no I/O, no clock, no thread of its own.
//
// A pass reads all of main in the staggered order of ScanLayout, and the next one begins an
// interval after it began. Trouble at a place that was not known:
// - the 10 MiB on either side of it are read at once, each segment once in a pass;
// - passes are four times as frequent for two weeks and twice for eight more (Mahdisoltani, ATC
//   2017: errors follow errors, and a doubled rate finds them 1.7 to 1.8 times sooner);
// - the place is read again after weeks (scan_recheck.hpp).
// What comes first: the rest of a segment that was begun, surroundings, rechecks, the pass.
//
// What its caller must do:
// - construct it from decode_scan_record() of what is stored, or of nothing;
// - call advance() with both clocks before it asks, and at least once a minute in between;
// - read what next() says when Pace allows it, through the engine as a user's read, and call
//   finished() with what became of it. A piece that was not read is not finished: next() names it
//   again. `trouble` is what the drive showed at this read: sectors that did not read, read only
//   when asked again, or far slower than their neighbours. A sector that is known to be lost or
//   that lies on the spare is not read on main, and is no trouble;
// - store encode_scan_record(record()) with other commits, by itself at most once a minute. What is
//   not stored is read again;
// - verify the metadata copies once in each pass. What lies on the spare is read with the sectors
//   of main that it serves.
#pragma once

#include <cstdint>
#include <optional>

#include "base/units.hpp"
#include "health/scan_clock.hpp"
#include "health/scan_layout.hpp"
#include "health/scan_recheck.hpp"
#include "health/scan_record.hpp"
#include "health/scan_surroundings.hpp"

namespace dmremap::health {

struct ScanPolicy {
  std::uint64_t pass_interval_s = 14 * kDayS;  // at least 1
};

// How far around trouble is read: 10 MiB on either side.
inline constexpr std::uint32_t kSurroundingSegments = 10;
// How much more frequent passes are while trouble is fresh, and then until ten weeks after it, when
// the risk of another error has fallen to 1 % (Schroeder, FAST 2010).
inline constexpr std::uint64_t kFreshTroubleS = 2 * kWeekS;
inline constexpr unsigned kFreshTroubleRate = 4;
inline constexpr std::uint64_t kTroubleS = 10 * kWeekS;
inline constexpr unsigned kTroubleRate = 2;

enum class ScanReason : std::uint8_t { pass, recheck, surroundings };

struct ScanPiece {
  SectorRange sectors;  // never empty, within one segment of the disk
  ScanReason reason = ScanReason::pass;

  bool operator==(const ScanPiece&) const = default;
};

enum class ScanResult : std::uint8_t { good, trouble };

struct ScanProgress {
  bool pass_running = false;
  SectorCount scanned;           // of the pass that runs, or of the last one
  std::uint64_t in_pass_s = 0;   // how long it has been running
  std::uint64_t next_due_s = 0;  // 0 if there is something to read; else seconds until then
};

class ScanOrder {
 public:
  explicit ScanOrder(const ScanRecord& record, ScanPolicy policy = {});

  void advance(std::uint64_t monotonic_ns, std::uint64_t wall_ns);

  // Empty while nothing is due. At most `most` (kScanPiece, or more: Pace says how much), never
  // beyond a segment. Names the same piece, or more or less of it, until that is finished.
  [[nodiscard]] std::optional<ScanPiece> next(SectorCount most = kScanPiece);
  // Of the piece that next() named; without one it does nothing.
  void finished(ScanResult result);

  // Somebody else calls this place bad: it is read soon, unless it was in this pass for such a
  // reason.
  void look_at(SectorRange place);

  // As if the interval were over; the pass that runs goes on.
  void begin_pass();

  // True if the reading lags behind: the pass by more than a seventh of its interval, a recheck by
  // more than a week, or surroundings are to be read. Pace may then use its share of device time.
  [[nodiscard]] bool overdue() const;
  [[nodiscard]] std::uint64_t pass_interval_s() const;
  [[nodiscard]] ScanProgress progress() const;
  // That are complete.
  [[nodiscard]] std::uint64_t passes() const { return passes_; }
  // No trouble was met since the last pass began.
  [[nodiscard]] bool pass_is_clean() const {
    return last_trouble_s_ == 0 || last_trouble_s_ < pass_began_s_;
  }
  // Without a wish: whether a user asked for the pass is known to the caller.
  [[nodiscard]] ScanRecord record() const;

 private:
  // A segment that is being read.
  struct Reading {
    ScanReason reason = ScanReason::pass;
    SectorRange rest;
    std::uint32_t segment = 0;
    bool trouble = false;
  };

  [[nodiscard]] bool pass_running() const { return step_ < layout_.steps(); }
  void choose_segment();
  void finish_segment();
  void skip_steps();
  void take_step();
  void note_trouble(std::uint32_t segment);
  void read_surroundings_of(std::uint32_t segment);

  ScanLayout layout_;
  ScanPolicy policy_;
  ScanClock clock_;
  RecheckList rechecks_;
  Surroundings surroundings_;
  std::uint64_t passes_ = 0;
  std::uint64_t step_ = 0;
  std::uint64_t pass_began_s_ = 0;
  std::uint64_t last_trouble_s_ = 0;
  std::uint64_t last_complete_wall_s_ = 0;
  std::optional<Reading> reading_;
  SectorCount named_;  // of its rest, by next()
};

}  // namespace dmremap::health
