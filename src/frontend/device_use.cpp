// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/device_use.hpp"

#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "os/usage.hpp"

namespace dmremap::frontend {

namespace {
constexpr std::chrono::milliseconds kStep{50};
}  // namespace

tl::unexpected<Error> in_use(const std::string& path, const std::vector<std::string>& uses) {
  return fail(ErrorCode::device_in_use,
              uses.empty() ? "in use, by what cannot be seen from here"
                           : fmt::format("in use: {}", fmt::join(uses, ", ")),
              path, "unmount it and end what uses it, then try again");
}

Result<void> wait_until_unused(const std::string& path,
                               const std::function<Result<bool>()>& is_used) {
  os::Patience patience;
  for (int step = 0;; ++step) {
    const auto used = is_used();
    if (!used) return failure_of(used);
    if (!*used) return {};
    if (!patience.lasts(os::openers_of(path), step * kStep)) return in_use(path, os::uses_of(path));
    std::this_thread::sleep_for(kStep);
  }
}

}  // namespace dmremap::frontend
