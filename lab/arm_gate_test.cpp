// SPDX-License-Identifier: GPL-2.0-or-later
#include "arm_gate.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr SectorCount kSize{1'000'000};
constexpr ArmModel kHour{.seek_ms = 0, .mb_per_s = 0.001};  // a MiB takes 17 minutes

void not_told() {}

// How many requests have got their place; `told` is a plain function pointer.
std::atomic<unsigned> queued{0};
void note_queued() {
  ++queued;
}

class ArmGateTest : public ::testing::Test {
 protected:
  ArmGateTest() { queued = 0; }

  // Asks in a thread, and returns when the request has its place.
  void ask(std::uint64_t first, std::uint64_t count) {
    const unsigned before = queued;
    asking_.emplace_back([this, first, count] {
      gate_.pass({{first}, {count}}, {count}, note_queued);
      const std::lock_guard lock(mutex_);
      passed_.push_back(first);
    });
    while (queued == before) std::this_thread::yield();
  }
  std::vector<std::uint64_t> passed() {
    asking_.clear();  // joins them
    return passed_;
  }

  ArmGate gate_{kSize};
  std::mutex mutex_;
  std::vector<std::uint64_t> passed_;
  std::vector<std::jthread> asking_;
};

TEST_F(ArmGateTest, WithoutAnArmNothingWaits) {
  gate_.pass({{0}, {1'000'000}}, {1'000'000}, not_told);
  EXPECT_EQ(gate_.model(), std::nullopt);
}

TEST_F(ArmGateTest, RequestsPassOneAtATimeInOrderOfArrival) {
  gate_.set_model(ArmModel{.seek_ms = 4, .mb_per_s = 1000});
  const auto start = steady_clock::now();
  const std::vector<std::uint64_t> order{900'000, 100'000, 800'000, 200'000, 700'000, 300'000};
  for (const std::uint64_t first : order) ask(first, 8);
  std::vector<std::uint64_t> seen = passed();
  // Each is far from the one before: 4 to 7 ms.
  EXPECT_GE(steady_clock::now() - start, milliseconds(24));
  // A thread that has passed may stand still for so long before it says so that the next one is
  // first. By chance an order is right once in 720.
  for (int again = 0; again < 5 && seen != order; ++again) {
    passed_.clear();
    for (const std::uint64_t first : order) ask(first, 8);
    seen = passed();
  }
  EXPECT_EQ(seen, order);
}

TEST_F(ArmGateTest, AStreamThatEndsLetsOthersPass) {
  gate_.set_model(ArmModel{.seek_ms = 1, .mb_per_s = 100, .prefers_streams = true});
  // 41 ms each.
  ask(0, 8000);
  ask(500'000, 8000);
  ask(8000, 8000);
  EXPECT_EQ(passed(), (std::vector<std::uint64_t>{0, 8000, 500'000}));
}

TEST_F(ArmGateTest, AnotherModeAndAPulledDiskReleaseWhatWaits) {
  for (const bool pulled : {false, true}) {
    gate_.set_model(kHour);
    for (std::uint64_t i = 0; i < 3; ++i) ask(i * 10'000, 2048);
    if (pulled) {
      gate_.release();
      EXPECT_EQ(gate_.model(), kHour);
    } else {
      gate_.set_model(std::nullopt);
    }
    EXPECT_EQ(passed().size(), pulled ? 6U : 3U);
  }
}

}  // namespace
}  // namespace dmremap::lab
