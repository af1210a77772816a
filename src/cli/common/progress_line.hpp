// SPDX-License-Identifier: GPL-2.0-or-later
// Shows on a terminal how far some work is, as one line of stderr that is written over.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace dmremap::cli {

// Used by one thread. Prints nothing if stderr is not a terminal.
class ProgressLine {
 public:
  // `before`: the sectors that were done when it began, which say nothing of how fast it goes.
  explicit ProgressLine(std::uint64_t before);
  // At most twice a second. Both in sectors. `doing`: what is being done, if a word is needed.
  void show(std::uint64_t done, std::uint64_t size, std::string_view doing = {});
  // Clears the line.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  const bool terminal_;
  const std::uint64_t before_;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point next_;
};

}  // namespace dmremap::cli
