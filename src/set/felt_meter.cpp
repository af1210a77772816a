// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/felt_meter.hpp"

#include <utility>

namespace dmremap::set {

FeltMeter::~FeltMeter() {
  turn_sampling(false);
}

void FeltMeter::advance(std::uint64_t now_ns, bool wanted) {
  if (felt_.window() != health::FeltWindow::none) {
    for (const remap::LatencySample& sample : engine_.take_latencies()) {
      felt_.sample(felt_.arrived_in(sample.begun_ns), sample.latency_ns);
    }
  }
  felt_.advance(now_ns, wanted, random_.next_u64());
  turn_sampling(felt_.measuring(now_ns));
}

void FeltMeter::turn_sampling(bool on) {
  if (std::exchange(sampling_, on) == on) return;
  engine_.sample_latencies(on);
}

}  // namespace dmremap::set
