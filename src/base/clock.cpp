// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.hpp"

#include <ctime>

#include <fmt/format.h>
#include <sys/random.h>

#include "base/assert.hpp"
#include "base/endian.hpp"

namespace dmremap {

namespace {

std::uint64_t read_clock(clockid_t id) {
  timespec ts{};
  ::clock_gettime(id, &ts);
  return static_cast<std::uint64_t>(ts.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(ts.tv_nsec);
}

class SystemClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return read_clock(CLOCK_REALTIME); }
  std::uint64_t monotonic_ns() override { return read_clock(CLOCK_MONOTONIC); }
  std::uint64_t coarse_ns() override { return read_clock(CLOCK_MONOTONIC_COARSE); }
};

class SystemRandom final : public Random {
 public:
  std::uint64_t next_u64() override {
    std::uint64_t v = 0;
    // getrandom never returns short for 256 bytes or fewer once the pool is ready (getrandom(2)).
    const ssize_t got = ::getrandom(&v, sizeof v, 0);
    DMREMAP_ASSERT(got == static_cast<ssize_t>(sizeof v));
    return v;
  }
};

std::array<std::byte, 16> random_bytes(Random& random) {
  std::array<std::byte, 16> out{};
  store_le<std::uint64_t>(out, 0, random.next_u64());
  store_le<std::uint64_t>(out, 8, random.next_u64());
  return out;
}

}  // namespace

std::uint64_t Clock::coarse_ns() {
  return monotonic_ns();
}

Uuid Random::uuid() {
  Uuid u{random_bytes(*this)};
  u.bytes[6] = (u.bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  u.bytes[8] = (u.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  return u;
}

CommitId Random::commit_id() {
  return CommitId{random_bytes(*this)};
}

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Random& system_random() {
  static SystemRandom random;
  return random;
}

std::string format_time(std::uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / 1'000'000'000U);
  tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "?";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace dmremap
