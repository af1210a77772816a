// SPDX-License-Identifier: GPL-2.0-or-later
// How many foreground requests the scanner may have got in the way of. Pure.
//
// A *collision* is a foreground request that arrives while a read of the scanner is in flight, or
// the first one after such reads, for which the arm has to come back. At most one request in 5000
// may be one (0.02 %), whatever it costs:
//
// The 99th percentile. If a fraction c of all requests is delayed, and in the worst case each of
// them passes from below the 99th percentile to above it, then the new 99th percentile is at most
// the old one of 99 % + c. How far that is depends on the tail of the latencies:
//
//   P(latency > x)   99th percentile grows by                c = 0.02 %   0.04 %   0.08 %
//   exponential      ln(0.01 - c) / ln(0.01) - 1             0.4 %        0.9 %    1.8 %
//   as 1/x^4         (0.01 / (0.01 - c))^(1/4) - 1           0.5 %        1.0 %    2.1 %
//   as 1/x^2         (0.01 / (0.01 - c))^(1/2) - 1           1.0 %        2.1 %    4.3 %
//
// So it stays within 1 % for tails up to those of which the variance does not exist any more.
//
// The mean. It grows by c times the delay of a collision over the mean latency: 1 % is passed only
// if a collision costs 50 times the mean latency, as where a cache answers most requests. So the
// delays are counted too: their sum stays within 0.5 % of the sum of all foreground latencies.
//
// Scanning that is overdue earns twice as much: one request in 2500, 1 % of the latencies. Its
// reads under load count half: one request in 1250, so that a disk without any idle moment gets on.
//
// Requests that come within one scan read all collide, so a charge may leave a debt, which must be
// made good before the next read. A debt is at most eight collisions: more come at once only where
// the queue is deep, and there each of them waits for the others far longer than for the scan's
// read. Otherwise the last burst of an evening would keep the scanner from a whole idle night. And
// at most eight collisions are saved up, so that a quiet hour after a busy day is not spent at the
// cost of the few requests in it.
//
// A disk that is hardly used earns next to nothing, and would not be read in years. So half an hour
// of idle time, in one piece or in many, earns a collision too: on a disk with fewer than 5000
// requests in half an hour the fraction is larger, and two requests an hour meet the scanner.
#pragma once

#include <cstdint>

namespace dmremap::health {

inline constexpr std::int64_t kRequestsPerCollision = 5000;
inline constexpr std::int64_t kCollisionsSaved = 8;
// The share of all foreground latency that the scanner may add: 1 in 200, 0.5 %.
inline constexpr std::int64_t kLatencyPerDelay = 200;
inline constexpr std::int64_t kDelaySavedNs = 200'000'000;
inline constexpr std::int64_t kDelayDebtNs = 1'000'000'000;
inline constexpr std::uint64_t kIdlePerCollisionNs = 1'800'000'000'000;

class CollisionCredit {
 public:
  // Foreground requests that arrived, and the latency of those that were finished.
  void earn(std::uint64_t requests, std::uint64_t latency_ns);
  // Time without foreground.
  void earn_idle(std::uint64_t idle_ns);
  // Collisions, and the delay of all of them together.
  void charge(double collisions, double delay_ns);
  // True if one more collision would be covered.
  [[nodiscard]] bool covers_collision() const;

  // Earns half as much, so many times over (at most 6).
  void set_slowdown(unsigned halvings) { halvings_ = halvings; }
  void set_overdue(bool overdue) { doublings_ = overdue ? 1 : 0; }

 private:
  // Requests are counted in parts of one, so that half of one is something.
  static constexpr std::int64_t kParts = 64;
  static constexpr std::int64_t kPartsPerCollision = kRequestsPerCollision * kParts;

  void add(std::int64_t parts, std::int64_t delay_ns);

  // A new credit covers one collision: on a disk that nobody uses nothing is earned at first.
  std::int64_t parts_ = kPartsPerCollision;
  std::int64_t delay_ns_ = kDelaySavedNs / kCollisionsSaved;
  std::uint64_t idle_ns_ = 0;  // not yet turned into credit
  unsigned halvings_ = 0;
  unsigned doublings_ = 0;
};

}  // namespace dmremap::health
