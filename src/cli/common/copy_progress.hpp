// SPDX-License-Identifier: GPL-2.0-or-later
// How far a copy is, on a terminal: one line of stderr that is written over.
#pragma once

#include <chrono>
#include <cstdint>

#include "transfer/copy_map.hpp"

namespace dmremap::cli {

// One thread. Says nothing where stderr is no terminal.
class CopyProgress {
 public:
  explicit CopyProgress(const transfer::CopyMap& map);
  void show(const transfer::CopyMap& map);
  // Clears the line.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  const bool terminal_;
  const std::uint64_t before_;  // sectors that need not be copied any more
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point next_;
};

}  // namespace dmremap::cli
