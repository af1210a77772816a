// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/latency_sampler.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace dmremap::remap {

void LatencySampler::add(std::uint64_t begun_ns) {
  const std::uint64_t end_ns = now_ns();
  const LatencySample sample{begun_ns, end_ns - std::min(begun_ns, end_ns)};
  const std::lock_guard lock(mutex_);
  ++seen_;
  if (samples_.size() < kMost) {
    samples_.push_back(sample);
    return;
  }
  // Each of those seen is kept with the same probability, whatever its latency (Vitter, 1985).
  lot_ = lot_ * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
  const std::uint64_t place = (lot_ >> 33U) % seen_;
  if (place < kMost) samples_[place] = sample;
}

std::vector<LatencySample> LatencySampler::take() {
  std::vector<LatencySample> out;
  const std::lock_guard lock(mutex_);
  seen_ = 0;
  std::swap(out, samples_);
  return out;
}

}  // namespace dmremap::remap
