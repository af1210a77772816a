// SPDX-License-Identifier: GPL-2.0-or-later
// What can go wrong with a simulated disk, as rules over its ranges, and how often it did.
#pragma once

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "sim/dice.hpp"

namespace dmremap::sim {

enum class FaultKind : std::uint8_t {
  read_error,
  write_error,
  until_written,      // a read fails until the sector is written: SimDisk::spoil
  flaky,              // as read_error and write_error, by chance
  slow,               // answers `delay` later
  hung,               // answers `delay` later, with the error
  torn_write,         // some sectors of a write changed: it failed, or was cut off
  unflushed_lost,     // by a power cut, or by a disk that came back
  flush_error,        // a write is acknowledged and lost later; one flush says so
  gone,               // unplugged: SimDisk::unplug
  dropped_write,      // acknowledged, and nothing changed
  misdirected_write,  // landed elsewhere
  flipped_write,      // one bit of what landed is wrong
  unsupported,        // zeroes or discards
};
inline constexpr std::size_t kFaultKinds = 14;
[[nodiscard]] std::string_view name_of(FaultKind kind);  // "read error"

class FaultCounts {
 public:
  void fired(FaultKind kind, std::uint64_t times = 1) { of_[index(kind)] += times; }
  [[nodiscard]] std::uint64_t of(FaultKind kind) const { return of_[index(kind)]; }
  FaultCounts& operator+=(const FaultCounts& other);

 private:
  static std::size_t index(FaultKind kind) { return static_cast<std::size_t>(kind); }
  std::array<std::uint64_t, kFaultKinds> of_{};
};

struct FaultRule {
  FaultKind kind = FaultKind::read_error;  // one of those that name no function of SimDisk
  SectorRange range;                       // requests that touch it
  int error = EIO;
  double probability = 1;                                           // for each request
  std::uint64_t shots = std::numeric_limits<std::uint64_t>::max();  // and then never again
  std::chrono::nanoseconds delay{0};  // also that of the failing requests of any other kind
  // For flaky, slow and hung. A flush touches every range.
  bool reads = true;
  bool writes = true;
  bool flushes = false;
  // misdirected_write: where it may land instead.
  std::vector<SectorRange> targets{};
  // flush_error: what reading a lost sector gives from then on; 0: what was there before.
  int lost_error = 0;
};

enum class Operation : std::uint8_t { read, write, flush };

// What becomes of one request.
struct Fate {
  int error = 0;
  std::chrono::nanoseconds delay{0};
  SectorRange untouched;  // of a write that fails: these sectors never change
  bool dropped = false;
  std::optional<SectorRange> elsewhere;      // the sectors beyond its end are dropped
  std::optional<std::uint64_t> flipped_bit;  // of the whole request
  int lost_later = 0;                        // the errno that a flush will give
  int lost_error = 0;
};

class Faults {
 public:
  // What `remove` takes.
  std::size_t add(FaultRule rule);
  void remove(std::size_t id);
  void clear();
  // Shots that are left included.
  [[nodiscard]] std::vector<FaultRule> rules() const;

  // `unit` is the logical block.
  [[nodiscard]] Fate judge(Operation operation, SectorRange range, SectorCount unit, Dice& dice);

  [[nodiscard]] FaultCounts& counts() { return counts_; }
  [[nodiscard]] const FaultCounts& counts() const { return counts_; }

 private:
  struct Numbered {
    std::size_t id;
    FaultRule rule;
  };
  void apply(const FaultRule& rule, SectorRange range, SectorCount unit, Dice& dice, Fate& fate);

  std::vector<Numbered> rules_;
  std::size_t next_id_ = 0;
  FaultCounts counts_;
};

}  // namespace dmremap::sim
