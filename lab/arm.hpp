// SPDX-License-Identifier: GPL-2.0-or-later
// How long a disk with one arm takes for what it is asked, and in which order it serves. Pure
// values: no I/O, no clock, no locks.
//
// One request is served at a time. One that begins where the arm stands, which is where the last
// one ended, takes its transfer alone. Any other takes a seek first:
//
//   SEEK_MS * (0.2 + 0.8 * sqrt(distance / size) / (8/15))
//
// 8/15 is the mean of that root over two random places, so SEEK_MS is the mean of random seeks; the
// longest takes 1.7 times as long. The turn of the platter is part of it, as its mean: the same
// requests take the same time in each run, so that two runs differ by what is compared and not by
// chance. Writes cost what reads do: there is no cache for them.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::lab {

struct ArmModel {
  double seek_ms = 0;  // on average, between random places
  double mb_per_s = 0;
  // What continues the last request is served before all else, as long as nothing has waited for
  // kStreamDeadlineNs; and after a request that continued another one the arm waits for the next
  // for kStreamPauseNs. So drives were seen to behave (openzfs #15270: 1 to 4 s).
  bool prefers_streams = false;
  bool operator==(const ArmModel&) const = default;
};

inline constexpr std::uint64_t kStreamDeadlineNs = 2'000'000'000;
inline constexpr std::uint64_t kStreamPauseNs = 5'000'000;

// `instant`, which is no arm, or arm:SEEK_MS,MB_PER_S, perhaps with `+streams` behind it.
[[nodiscard]] Result<std::optional<ArmModel>> parse_mode(std::string_view text);
[[nodiscard]] std::string print_mode(const std::optional<ArmModel>& model);

// Times are nanoseconds of one clock, whichever. Not thread-safe.
class ArmQueue {
 public:
  using Ticket = std::uint64_t;
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  struct Service {
    Ticket ticket = 0;
    std::uint64_t end_ns = 0;
    bool operator==(const Service&) const = default;
  };

  ArmQueue(const ArmModel& model, SectorCount size) : model_(model), size_(size) {}

  // Requests come in the order of these calls. `transferred`: of the range; a discard moves the arm
  // and transfers nothing.
  Ticket arrive(std::uint64_t now_ns, SectorRange range, SectorCount transferred);

  // The request that the arm takes up next, if it does so by now. What is decided late is decided
  // as it would have been in time: a thread that wakes late costs the disk nothing.
  [[nodiscard]] std::optional<Service> next(std::uint64_t now_ns);
  // When next() may have one, if nothing arrives before; kNever if nothing waits.
  [[nodiscard]] std::uint64_t look_at_ns() const { return look_at_ns_; }
  // Of those that wait, the one that came first; 0 if none does.
  [[nodiscard]] Ticket oldest() const { return waiting_.empty() ? 0 : waiting_.front().ticket; }

 private:
  struct Request {
    Ticket ticket = 0;
    std::uint64_t arrived_ns = 0;
    SectorRange range;
    SectorCount transferred;
  };
  struct Choice {
    std::size_t index = 0;
    std::uint64_t at_ns = 0;  // when it is taken up; later than now: not yet decided
  };

  [[nodiscard]] Choice choose() const;
  [[nodiscard]] std::uint64_t cost_ns(const Request& request) const;

  const ArmModel model_;
  const SectorCount size_;
  std::deque<Request> waiting_;  // in order of arrival
  Ticket last_ticket_ = 0;
  std::uint64_t free_at_ns_ = 0;
  std::uint64_t look_at_ns_ = kNever;
  Sector arm_;              // where the last request ended
  bool streaming_ = false;  // that one continued another
};

}  // namespace dmremap::lab
