// SPDX-License-Identifier: GPL-2.0-or-later
// For tests of SimDisk: a small one in a World of its own.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "sim/sim_disk.hpp"
namespace dmremap::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr io::Geometry kSmall{{64}, 512, 512};
inline constexpr std::uint64_t kSeeds = 100;

inline std::vector<std::byte> sectors(std::size_t count, int fill) {
  return std::vector<std::byte>(count * kSectorBytes, static_cast<std::byte>(fill));
}

inline int first_byte(const SimDisk& disk, std::uint64_t sector) {
  return std::to_integer<int>(disk.peek({sector})[0]);
}

// What each of the sectors holds; -1 for one that does not hold the same byte throughout.
inline std::vector<int> fills(std::span<const std::byte> data) {
  std::vector<int> out;
  for (std::size_t at = 0; at < data.size(); at += kSectorBytes) {
    const auto sector = data.subspan(at, kSectorBytes);
    const bool same = std::ranges::all_of(sector, [&](std::byte b) { return b == sector[0]; });
    out.push_back(same ? std::to_integer<int>(sector[0]) : -1);
  }
  return out;
}

struct Rig {
  explicit Rig(std::uint64_t seed, const io::Geometry& geometry = kSmall)
      : world(seed), disk(world, geometry) {}

  std::uint64_t fired(FaultKind kind) const { return disk.fault_counts().of(kind); }
  io::IoStatus write(std::uint64_t first, std::size_t count, int fill) {
    return disk.write({first}, sectors(count, fill));
  }
  io::IoStatus read(std::uint64_t first, std::size_t count) {
    buffer = sectors(count, 0);
    return disk.read({first}, buffer);
  }

  World world;
  SimDisk disk;
  std::vector<std::byte> buffer;
};

// The same with many seeds, in a run.
inline void with_seeds(const std::function<void(Rig&)>& body, std::uint64_t seeds = kSeeds) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    Rig rig(seed);
    rig.world.run([&] { body(rig); });
  }
}

}  // namespace dmremap::sim
