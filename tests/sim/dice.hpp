// SPDX-License-Identifier: GPL-2.0-or-later
// Chance from a seed: the same on every machine, in every build.
#pragma once

#include <cstdint>

namespace dmremap::sim {

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  // Less than `n`, which is from 1 to 2^32.
  std::uint64_t below(std::uint64_t n) { return ((next() >> 32U) * n) >> 32U; }
  // From `low` to `high`, both possible.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    const std::uint64_t span = high - low + 1;
    return span == 0 ? next() : low + next() % span;
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  bool chance(double probability) {
    return static_cast<double>(next() >> 11U) < probability * 9007199254740992.0;  // 2^53
  }
  // Another stream, that what is drawn from this one later does not change.
  Dice fork() { return Dice(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace dmremap::sim
