// SPDX-License-Identifier: GPL-2.0-or-later
// Counts what becomes of main (TroubleCounts). Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>

#include "remap/admin.hpp"

namespace dmremap::remap {

struct TroubleCounters {
  std::atomic<std::uint64_t> lost{0};
  std::atomic<std::uint64_t> remapped{0};
  std::atomic<std::uint64_t> recovered{0};
  std::atomic<std::uint64_t> slow{0};
  std::atomic<std::uint64_t> flush_errors{0};
  std::atomic<std::uint64_t> trips{0};

  void add(const TroubleCounts& more) {
    lost.fetch_add(more.lost);
    remapped.fetch_add(more.remapped);
    recovered.fetch_add(more.recovered);
    slow.fetch_add(more.slow);
  }
  [[nodiscard]] TroubleCounts now() const {
    return {lost.load(), remapped.load(),     recovered.load(),
            slow.load(), flush_errors.load(), trips.load()};
  }
};

}  // namespace dmremap::remap
