// SPDX-License-Identifier: GPL-2.0-or-later
// Shows the progress of a copy on a terminal, as one line of stderr that is written over.
#pragma once

#include <chrono>
#include <cstdint>

#include "transfer/copy_map.hpp"

namespace dmremap::cli {

// Used by one thread. Prints nothing if stderr is not a terminal.
class CopyProgress {
 public:
  explicit CopyProgress(const transfer::CopyMap& map);
  void show(const transfer::CopyMap& map);
  // Clears the line.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  const bool terminal_;
  const std::uint64_t before_;  // sectors that needed no copying when it began
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point next_;
};

}  // namespace dmremap::cli
