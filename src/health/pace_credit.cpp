// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/pace_credit.hpp"

#include <algorithm>

namespace dmremap::health {
namespace {

// More than can be saved, and far from what a sum could overflow with.
std::int64_t bounded(std::uint64_t value) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 50U;
  return static_cast<std::int64_t>(std::min(value, kMost));
}

}  // namespace

void CollisionCredit::add(std::int64_t parts, std::int64_t delay_ns) {
  parts_ += (parts << doublings_) >> halvings_;
  parts_ = std::min(parts_, kPartsPerCollision * kCollisionsSaved);
  delay_ns_ += (delay_ns << doublings_) >> halvings_;
  delay_ns_ = std::min(delay_ns_, kDelaySavedNs);
}

void CollisionCredit::earn(std::uint64_t requests, std::uint64_t latency_ns) {
  add(bounded(requests) * kParts, bounded(latency_ns) / kLatencyPerDelay);
}

void CollisionCredit::earn_idle(std::uint64_t idle_ns) {
  // A hundredth of a collision at a time, so that nothing is lost by rounding.
  constexpr std::int64_t kShares = 100;
  constexpr std::uint64_t kShareNs = kIdlePerCollisionNs / kShares;
  idle_ns_ += std::min(idle_ns, kIdlePerCollisionNs);
  const auto shares = static_cast<std::int64_t>(idle_ns_ / kShareNs);
  idle_ns_ %= kShareNs;
  add(kPartsPerCollision / kShares * shares, kDelaySavedNs / kCollisionsSaved / kShares * shares);
}

void CollisionCredit::charge(double collisions, double delay_ns) {
  const double debt_parts = static_cast<double>(kPartsPerCollision) * kCollisionsSaved;
  const double parts = static_cast<double>(kPartsPerCollision) * collisions;
  parts_ = static_cast<std::int64_t>(std::max(static_cast<double>(parts_) - parts, -debt_parts));
  delay_ns_ = static_cast<std::int64_t>(
      std::max(static_cast<double>(delay_ns_) - delay_ns, static_cast<double>(-kDelayDebtNs)));
}

bool CollisionCredit::covers_collision() const {
  return parts_ >= kPartsPerCollision && delay_ns_ >= 0;
}

}  // namespace dmremap::health
