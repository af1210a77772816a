// SPDX-License-Identifier: GPL-2.0-or-later
// Is a device still there? Asked when a request failed with an errno that says nothing (plain EIO):
// a few spread units that read well when the set was opened are read again. Most fail: the device
// is gone. Most read: it was that one sector.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/scheduling.hpp"
#include "io/block_device.hpp"

namespace dmremap::remap {

// Counts outcomes of up to `total` probes until one side cannot lose any more. Pure.
class Tally {
 public:
  explicit Tally(std::size_t total) : total_(total) {}
  void add(bool ok) { ++(ok ? good_ : bad_); }
  // True: most read. False: most fail, or half do, or there is nothing to go by.
  [[nodiscard]] std::optional<bool> alive() const {
    if (good_ * 2 > total_) return true;
    if (bad_ * 2 >= total_) return false;
    return std::nullopt;
  }

 private:
  std::size_t total_;
  std::size_t good_ = 0;
  std::size_t bad_ = 0;
};

// `units` places of one block each, evenly spread over `size`.
[[nodiscard]] std::vector<Sector> spread(SectorCount size, SectorCount unit, std::uint32_t units);

// Thread-safe.
class Probe {
 public:
  // Reads a unit at each of `candidates`, or one that is `usable` in its stead; those that fail are
  // not used.
  Probe(io::BlockDevice& device, const std::vector<Sector>& candidates,
        const std::function<bool(SectorRange)>& usable, Scheduling& scheduling);

  // Call after a request has failed. Reads until one side wins. Threads that come at once share a
  // probe, but never one that began before the call: the cable may have been pulled since.
  // `usable`: false for units no longer expected to read; others are asked in their stead.
  bool alive(io::BlockDevice& device, const std::function<bool(SectorRange)>& usable);

 private:
  static std::optional<SectorRange> nearest_usable(SectorRange unit, SectorCount size,
                                                   const std::function<bool(SectorRange)>& usable);
  bool ask(io::BlockDevice& device, const std::function<bool(SectorRange)>& usable);

  std::vector<SectorRange> units_;
  Mutex mutex_;                          // one probe at a time
  std::atomic<std::uint64_t> begun_{0};  // probes so far; changed under mutex_
  bool last_alive_ = false;              // under mutex_: what the last of them found
  AlignedBuffer buffer_;                 // under mutex_
};

}  // namespace dmremap::remap
