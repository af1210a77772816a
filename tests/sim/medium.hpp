// SPDX-License-Identifier: GPL-2.0-or-later
// The memory of a simulated disk: what a reader sees, and below it what would survive a power cut.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "sim/dice.hpp"

namespace dmremap::sim {

// Which unflushed sector writes a power cut leaves. For each sector the newest kept one shows; an
// older one may outlive a newer.
enum class Keep : std::uint8_t { none, all, any_sectors, whole_requests };

struct PowerLoss {
  std::uint64_t lost_sectors = 0;   // show something older than before
  std::uint64_t torn_requests = 0;  // some of their sectors were kept, some lost
};

// Sector writes are atomic. Every sector has a durable version and, above it, one version for each
// write since the last flush that covered it.
class Medium {
 public:
  // A write becomes subject to flushes that begin at a later tick than its completion.
  static constexpr std::uint64_t kNotDone = 0;
  static constexpr std::uint64_t kNeverDurable = std::numeric_limits<std::uint64_t>::max();

  explicit Medium(SectorCount size);

  [[nodiscard]] SectorCount size() const { return {errors_.size()}; }
  // The errno that reading the sector gives, else 0.
  [[nodiscard]] int error_at(Sector sector) const { return errors_[sector.value]; }
  [[nodiscard]] std::span<const std::byte> at(Sector sector) const {
    return bytes().subspan(sector.byte_offset(), kSectorBytes);
  }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {bytes_.get(), errors_.size() * kSectorBytes};
  }
  [[nodiscard]] std::size_t unflushed_sectors() const { return used_; }

  // One sector of the request `write`, in the cache. Empty `data`: it can no longer be read.
  void land(Sector sector, std::span<const std::byte> data, std::uint64_t write, int error = 0);
  // All that landed of it there counts for flushes after `tick`.
  void complete(SectorRange range, std::uint64_t write, std::uint64_t tick);
  // What was completed until `tick` is durable.
  void flush(std::uint64_t tick);
  // What was completed until `tick` and is not durable will never be, however often it is flushed.
  void give_up(std::uint64_t tick);
  // The cache forgets the sector of that request. With `error`, unless something newer is there, it
  // cannot be read from now on. False: it was durable, or had not landed.
  bool lose(Sector sector, std::uint64_t write, int error);
  PowerLoss power_cut(Keep keep, Dice& dice);

  // Behind everyone's back, and durable.
  void poke(Sector sector, std::span<const std::byte> data);
  void spoil(Sector sector, int error);  // cannot be read until it is written; 0: can again

 private:
  struct Version {
    Version(std::span<const std::byte> from, std::uint64_t of, std::uint64_t done, int gives);

    std::array<std::byte, kSectorBytes> data;
    std::uint64_t write;
    std::uint64_t tick;
    int error;
  };
  // `older` begins with the durable version; the newest one's data is in bytes_.
  struct Unflushed {
    Sector sector;
    std::vector<Version> older;
    std::uint64_t write = 0;
    std::uint64_t tick = kNotDone;
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }  // NOLINT
  };
  static constexpr std::uint32_t kClean = 0;

  [[nodiscard]] std::byte* place(Sector sector) { return bytes_.get() + sector.byte_offset(); }
  [[nodiscard]] std::span<Unflushed> unflushed() { return std::span(unflushed_).first(used_); }
  [[nodiscard]] Unflushed* find(Sector sector);
  void show(Sector sector, const Version& version);
  void clean(Sector sector);
  template <typename Kept>
  void survive(Unflushed& entry, PowerLoss& loss, const Kept& kept);

  // From calloc: what is never touched costs nothing, and there are many short-lived disks.
  std::unique_ptr<std::byte, Free> bytes_;
  std::vector<std::uint8_t> errors_;  // by sector
  std::vector<std::uint32_t> slots_;  // by sector: its place in unflushed_ and one, or kClean
  std::vector<Unflushed> unflushed_;  // those after the first `used_` keep memory for later
  std::size_t used_ = 0;
};

}  // namespace dmremap::sim
