// SPDX-License-Identifier: GPL-2.0-or-later
// When the next read of the scanner may be issued. A state machine of values: no clock, no thread.
//
// - One read at a time, and none before 500 ms without a foreground request (Amvrosiadis, DSN 2012:
//   wait for an idle threshold, then run until the next request; drives that scan by themselves
//   wait as long). So the first request after an idle time waits for one small read at most, and
//   the scanner then stops.
// - After each read a gap as long as the read, at least 2 ms: the drive's queue is empty for half
//   of the time, and it sees no stream that it would prefer to others' requests.
// - Only while the credit covers a collision (pace_credit.hpp).
// - What is overdue earns twice the credit, and after a minute without an idle moment it is read
//   under load too: rarely, and then a segment at once, since what a percentile feels is how many
//   requests are met, not for how long. Reads under load take at most 1/50 of the device's time.
//   Where idle moments come, the credit is better spent in them.
// - A window of the day, a rate, and a pause or another hold stand above all of these.
//
// What its caller must do:
// - count foreground requests: those of the whole disk, from its block layer statistics (the
// disk's,
//   not the partition's) less the scanner's own reads, plus what a kernel target sends past us.
//   With reads and writes finished as `done`, `arrived` is done + in flight, and `latency_ns` the
//   sum of the times that they took. They may fall or stand still (another device, statistics that
//   are switched off): then they say nothing, and nothing worse. If there are no statistics, the
//   engine's own requests are what is left to count;
// - call ask() before each read; if it says wait, again at `until_ns`, or earlier;
// - call begun() right before the read is issued and finished() right after it returned;
// - call set_slowdown() with what Felt says whenever it changes;
// - not ask where nothing is to be read (ScanOrder), nor while Felt's window is one without scan;
// - not exist in the initramfs: the boot is no time to scan.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/units.hpp"
#include "health/pace_credit.hpp"
#include "health/pace_window.hpp"
#include "health/scan_layout.hpp"

namespace dmremap::health {

inline constexpr std::uint64_t kIdleNs = 500'000'000;
inline constexpr std::uint64_t kGapMinNs = 2'000'000;
// The part of device time that reads under load may take: 1 in 50.
inline constexpr std::uint64_t kLoadedShare = 50;
inline constexpr std::uint64_t kLoadedNs = 60'000'000'000;  // so long without an idle moment
inline constexpr unsigned kSlowdownMax = 6;

// Counters that only grow, of requests that are not the scanner's.
struct Foreground {
  std::uint64_t arrived = 0;
  std::uint64_t in_flight = 0;  // at this moment
  std::uint64_t latency_ns = 0;
};

// Why the scanner is held, whatever the pace would allow.
enum class PaceHold : std::uint8_t {
  none,
  paused,
  tripped,
  suspended,
  frozen,
  on_battery,
  copying
};

struct PacePolicy {
  PaceWindow window;
  std::uint64_t rate = 0;  // bytes a second; 0: no limit
};

struct PaceMoment {
  std::uint64_t now_ns = 0;  // monotonic
  Foreground foreground;
  unsigned minute_of_day = 0;  // local time
  bool overdue = false;        // ScanOrder::overdue()
  PaceHold hold = PaceHold::none;
};

enum class PaceWait : std::uint8_t { none, reading, held, window, rate, gap, foreground, credit };
// "foreground": the word of `scrub status`.
[[nodiscard]] std::string_view name_of(PaceWait wait);

struct PaceDecision {
  bool read = false;
  SectorCount most;            // with `read`: how much at once
  std::uint64_t until_ns = 0;  // without: when to ask again
  PaceWait why = PaceWait::none;
};

class Pace {
 public:
  Pace(PacePolicy policy, std::uint64_t now_ns);

  [[nodiscard]] PaceDecision ask(const PaceMoment& moment);
  void begun(std::uint64_t now_ns, const Foreground& foreground);
  void finished(std::uint64_t now_ns, const Foreground& foreground, std::uint64_t bytes);

  void set_policy(PacePolicy policy) { policy_ = policy; }
  // How often the pace is halved, at most kSlowdownMax: the credit, the share, and the gaps.
  void set_slowdown(unsigned halvings);

  // Foreground requests that met a read of the scanner, of all that arrived.
  [[nodiscard]] std::uint64_t collisions() const { return collisions_; }
  [[nodiscard]] std::uint64_t foreground_requests() const { return requests_; }

 private:
  // The time since the last look.
  std::uint64_t note_time(std::uint64_t now_ns);
  // How many arrived since the last look.
  std::uint64_t note(std::uint64_t now_ns, const Foreground& now);
  void note_latency(const Foreground& now);
  [[nodiscard]] PaceDecision decide(const PaceMoment& moment) const;
  [[nodiscard]] double device_time_of(double took_ns) const;
  void charge(std::uint64_t arrived, double took_ns, double device_ns);

  PacePolicy policy_;
  CollisionCredit credit_;
  unsigned slowdown_ = 0;
  std::uint64_t collisions_ = 0;
  std::uint64_t requests_ = 0;

  Foreground foreground_;
  bool counted_ = false;  // foreground_ is a count to compare with
  // Of about the last thousand foreground requests.
  double latency_ns_ = 0;
  double latency_requests_ = 0;

  std::uint64_t now_ns_ = 0;
  std::uint64_t idle_since_ns_ = 0;
  std::uint64_t idle_at_ns_ = 0;  // the last moment at which it had been idle for kIdleNs
  std::uint64_t begun_ns_ = 0;
  bool reading_ = false;
  std::uint64_t queue_ = 0;  // foreground in flight when the read began
  // The longest read since the last foreground request, for which the arm will have to come back;
  // 0 if there was none.
  double away_ns_ = 0;
  // No read before these.
  std::uint64_t gap_until_ns_ = 0;
  std::uint64_t rate_until_ns_ = 0;
  std::uint64_t share_until_ns_ = 0;
};

}  // namespace dmremap::health
