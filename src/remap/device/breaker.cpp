// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/breaker.hpp"

#include <utility>

#include <fmt/format.h>

namespace dmremap::remap {

std::string trip_reason(std::string_view device, int error) {
  if (io::classify(error) == io::Fault::unknown) {
    return fmt::format("{} fails everywhere ({})", device, io::errno_name(error));
  }
  return fmt::format("{} gives {}", device, io::errno_name(error));
}

std::string Breaker::reason() const {
  const std::lock_guard lock(mutex_);
  return refusal_.empty() ? reason_ : reason_ + "; " + refusal_;
}

bool Breaker::trip(std::string reason) {
  const std::lock_guard lock(mutex_);
  // The first reason stays: what fails afterwards fails because of it.
  if (tripped_.load()) return false;
  reason_ = std::move(reason);
  tripped_.store(true);
  return true;
}

bool Breaker::explain(std::string refusal) {
  const std::lock_guard lock(mutex_);
  // Said once, not with every look for main.
  if (!tripped_.load() || refusal == refusal_) return false;
  refusal_ = std::move(refusal);
  return true;
}

void Breaker::rearm() {
  const std::lock_guard lock(mutex_);
  tripped_.store(false);
  reason_.clear();
  refusal_.clear();
}

}  // namespace dmremap::remap
