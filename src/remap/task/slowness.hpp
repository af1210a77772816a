// SPDX-License-Identifier: GPL-2.0-or-later
// When a read that succeeds is far slower than its neighbours. Pure.
//
// A drive that tries a sector again and again before it reads it takes seconds where others take
// milliseconds. No fixed limit tells that from a busy drive (Perseus, FAST 2023), so a block is
// compared with what its neighbours take at the same time.
#pragma once

#include <cstdint>
#include <span>

namespace dmremap::remap {

// Less is no wait that anybody notices, and may be one revolution too many.
inline constexpr std::uint64_t kSlowReadNs = 200'000'000;
inline constexpr std::uint64_t kTimesSlower = 16;
// With fewer to compare with nothing is concluded.
inline constexpr std::size_t kFewestNeighbours = 4;

// `neighbours_ns`: what reads of as much, close by and at about the same time, took. Any order.
[[nodiscard]] bool far_slower(std::uint64_t took_ns, std::span<const std::uint64_t> neighbours_ns);

}  // namespace dmremap::remap
