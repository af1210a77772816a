// SPDX-License-Identifier: GPL-2.0-or-later
#include "front.hpp"

#include <chrono>
#include <thread>

namespace dmremap::lab {

namespace {
constexpr std::chrono::milliseconds kBusyPatience{2000};
constexpr std::chrono::milliseconds kBusyPause{20};
}  // namespace

Result<void> when_unused(const std::function<Result<void>()>& attempt) {
  const auto give_up = std::chrono::steady_clock::now() + kBusyPatience;
  while (true) {
    auto done = attempt();
    const bool busy = !done && done.error().code == ErrorCode::device_in_use;
    if (!busy || std::chrono::steady_clock::now() >= give_up) return done;
    std::this_thread::sleep_for(kBusyPause);
  }
}

}  // namespace dmremap::lab
