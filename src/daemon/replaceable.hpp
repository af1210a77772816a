// SPDX-License-Identifier: GPL-2.0-or-later
// A device that another one may take the place of while others look at it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/result.hpp"

namespace dmremap::daemon {

// Thread-safe; replace() is called by one thread. Whoever has got the device keeps it alive.
template <typename Device>
class Replaceable {
 public:
  using Make = std::function<Result<std::unique_ptr<Device>>()>;

  Replaceable() = default;
  explicit Replaceable(std::unique_ptr<Device> device) : device_(std::move(device)) {}

  // Null: there is none.
  [[nodiscard]] std::shared_ptr<Device> get() const {
    const std::lock_guard lock(mutex_);
    return device_;
  }

  // Makes another device, which get() returns from then on, and returns the former one. Null: none
  // was made; `tell` hears the error, but not the same one as at the call before.
  std::shared_ptr<Device> replace(const Make& make, const std::function<void(const Error&)>& tell) {
    auto made = make();
    if (!made) {
      std::string trouble = made.error().message();
      if (std::exchange(trouble_, trouble) != trouble) tell(made.error());
      return nullptr;
    }
    trouble_.clear();
    std::shared_ptr<Device> other = std::move(*made);
    const std::lock_guard lock(mutex_);
    return std::exchange(device_, std::move(other));
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<Device> device_;  // guarded by the mutex
  std::string trouble_;             // why none was made, the last time
};

}  // namespace dmremap::daemon
