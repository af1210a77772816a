// SPDX-License-Identifier: GPL-2.0-or-later
// What the sources of SimDisk share; nobody else includes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/sim_disk.hpp"

namespace dmremap::sim {

// A request between issue and answer.
struct SimDisk::Flight {
  Operation operation = Operation::read;
  SectorRange range;
  std::span<std::byte> out;
  std::span<const std::byte> data;  // of a write; empty: zeros
  bool skipped = false;
  bool answered = false;
  io::IoStatus status = io::kIoOk;
  Fate fate;
  std::uint64_t write = 0;  // its number among the writes
  std::uint64_t tick = 0;   // of a flush: the writes answered before
  bool tears = false;
  std::uint64_t landed = 0;  // sectors
};

// When some sectors of a flight take effect; `count` 0: when it is answered.
struct SimDisk::Instant {
  std::uint64_t at_ns = 0;
  std::size_t flight = 0;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

// Requests that one caller waits for, and what is still to come of them, in order of time.
struct SimDisk::Batch {
  std::span<Flight> flights;
  std::span<const Instant> to_come;
  bool cut = false;
};

}  // namespace dmremap::sim
