// SPDX-License-Identifier: GPL-2.0-or-later
// Time and randomness as parameters, so that a simulator can own both.
#pragma once

#include <cstdint>

#include "base/uuid.hpp"

namespace dmremap {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Nanoseconds since the Unix epoch. For people only: no decision rests on it.
  [[nodiscard]] virtual std::uint64_t wall_ns() = 0;
  // Nanoseconds that never go back.
  [[nodiscard]] virtual std::uint64_t monotonic_ns() = 0;
  // The same clock, cheaply: behind by up to one tick of the kernel (4 or 10 ms).
  [[nodiscard]] virtual std::uint64_t coarse_ns();
};

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  [[nodiscard]] virtual std::uint64_t next_u64() = 0;

  [[nodiscard]] Uuid uuid();  // version 4, variant 1
  [[nodiscard]] CommitId commit_id();
};

[[nodiscard]] Clock& system_clock();
[[nodiscard]] Random& system_random();  // getrandom(2)

// "2026-11-22T15:19:39Z".
[[nodiscard]] std::string format_time(std::uint64_t wall_ns);

}  // namespace dmremap
