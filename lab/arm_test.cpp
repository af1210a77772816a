// SPDX-License-Identifier: GPL-2.0-or-later
#include "arm.hpp"

#include <random>

#include <gtest/gtest.h>

namespace dmremap::lab {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr SectorCount kSize{1'000'000};

// 1 ms for 1000 sectors.
constexpr ArmModel kArm{.seek_ms = 10, .mb_per_s = 512};
constexpr ArmModel kStreams{.seek_ms = 10, .mb_per_s = 512, .prefers_streams = true};

SectorRange range(std::uint64_t first, std::uint64_t count) {
  return {{first}, {count}};
}

ArmQueue::Ticket arrive(ArmQueue& queue, std::uint64_t now_ns, SectorRange what) {
  return queue.arrive(now_ns, what, what.count);
}

// The one that is taken up by `now_ns`, which there must be.
ArmQueue::Service served(ArmQueue& queue, std::uint64_t now_ns) {
  const auto taken = queue.next(now_ns);
  EXPECT_TRUE(taken);
  return taken.value_or(ArmQueue::Service{});
}

TEST(ArmMode, EachIsParsedAndPrintedBack) {
  for (const char* text : {"instant", "arm:8,150", "arm:0,0.5", "arm:8.5,150+streams"}) {
    const auto mode = parse_mode(text);
    ASSERT_TRUE(mode) << text << ": " << mode.error().message();
    EXPECT_EQ(print_mode(*mode), text);
  }
}

TEST(ArmMode, AnythingElseIsWrongUsage) {
  for (const char* text :
       {"", "arm", "arm:", "arm:8", "arm:8,", "arm:,150", "arm:8,0", "arm:-1,150", "arm:1001,150",
        "arm:8,150ms", "arm:8,150,2", "arm:8,150+", "arm:8,150+stream", "arm:nan,150", "arm:8,inf",
        "instant+streams", "slow", "ARM:8,150"}) {
    const auto mode = parse_mode(text);
    ASSERT_FALSE(mode) << text;
    EXPECT_EQ(mode.error().code, ErrorCode::usage) << text;
  }
}

TEST(Arm, WhatContinuesTakesItsTransferAlone) {
  ArmQueue queue(kArm, kSize);
  const auto first = arrive(queue, 5 * kMs, range(0, 2000));
  EXPECT_EQ(served(queue, 5 * kMs), (ArmQueue::Service{first, 7 * kMs}));
  const auto second = arrive(queue, 50 * kMs, range(2000, 1000));
  EXPECT_EQ(served(queue, 50 * kMs), (ArmQueue::Service{second, 51 * kMs}));
}

TEST(Arm, SeekGrowsWithTheDistance) {
  std::uint64_t last = 0;
  for (const std::uint64_t distance : {1U, 1000U, 100'000U, 999'000U}) {
    ArmQueue queue(kArm, kSize);
    arrive(queue, 0, range(distance, 1000));
    const std::uint64_t end = served(queue, 0).end_ns;
    EXPECT_GT(end, last);
    last = end;
  }
  EXPECT_LT(last, 19 * kMs);
}

TEST(Arm, RandomSeeksTakeOnAverageWhatWasAsked) {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<std::uint64_t> place(0, kSize.value - 1);
  ArmQueue queue({.seek_ms = 10, .mb_per_s = 100'000}, kSize);
  constexpr unsigned kRequests = 100'000;
  std::uint64_t end = 0;
  for (unsigned i = 0; i < kRequests; ++i) {
    arrive(queue, end, range(place(random), 1));
    end = served(queue, end).end_ns;
  }
  EXPECT_NEAR(static_cast<double>(end) / kRequests / kMs, 10, 0.1);
}

TEST(Arm, DiscardMovesItWithoutTransfer) {
  ArmQueue queue(kArm, kSize);
  queue.arrive(0, range(0, 500'000), {0});
  EXPECT_EQ(served(queue, 0).end_ns, 0U);
}

TEST(Arm, ServesOneAtATimeInOrderOfArrival) {
  ArmQueue queue(kArm, kSize);
  const auto one = arrive(queue, 0, range(0, 1000));
  const auto far = arrive(queue, 0, range(500'000, 1000));
  const auto near = arrive(queue, 0, range(1000, 1000));
  EXPECT_EQ(served(queue, 0).ticket, one);
  EXPECT_EQ(queue.next(0), std::nullopt);
  EXPECT_EQ(queue.look_at_ns(), kMs);
  EXPECT_EQ(queue.oldest(), far);
  const auto second = served(queue, kMs);
  EXPECT_EQ(second.ticket, far);
  EXPECT_EQ(queue.next(second.end_ns - 1), std::nullopt);
  EXPECT_EQ(served(queue, second.end_ns).ticket, near);
  EXPECT_EQ(queue.next(ArmQueue::kNever - 1), std::nullopt);
  EXPECT_EQ(queue.look_at_ns(), ArmQueue::kNever);
}

// A thread that wakes late must not cost the disk time.
TEST(Arm, WhatIsAskedLateIsServedAsInTime) {
  ArmQueue queue(kArm, kSize);
  for (std::uint64_t i = 0; i < 5; ++i) arrive(queue, 0, range(i * 1000, 1000));
  for (std::uint64_t i = 1; i <= 5; ++i) EXPECT_EQ(served(queue, 300 * kMs).end_ns, i * kMs);
}

TEST(ArmWithStreams, ServesAStreamBeforeWhatCameEarlier) {
  ArmQueue queue(kStreams, kSize);
  arrive(queue, 0, range(0, 1000));
  const auto far = arrive(queue, 0, range(500'000, 1000));
  const auto stream = arrive(queue, 0, range(1000, 1000));
  served(queue, 0);
  EXPECT_EQ(served(queue, kMs).ticket, stream);
  // Nothing goes on, so the arm leaves in the end.
  EXPECT_EQ(queue.next(2 * kMs), std::nullopt);
  EXPECT_EQ(queue.look_at_ns(), 2 * kMs + kStreamPauseNs);
  EXPECT_EQ(served(queue, 2 * kMs + kStreamPauseNs).ticket, far);
}

TEST(ArmWithStreams, WaitsAMomentForAStreamToGoOn) {
  ArmQueue queue(kStreams, kSize);
  arrive(queue, 0, range(0, 1000));
  served(queue, 0);
  const auto far = arrive(queue, 0, range(500'000, 1000));
  const auto stream = arrive(queue, 4 * kMs, range(1000, 1000));
  EXPECT_EQ(served(queue, 4 * kMs), (ArmQueue::Service{stream, 5 * kMs}));
  // One that comes too late does not count, even if nobody has looked in time.
  arrive(queue, 11 * kMs, range(2000, 1000));
  EXPECT_EQ(served(queue, 20 * kMs).ticket, far);
}

TEST(ArmWithStreams, NothingWaitsLongerThanTheDeadline) {
  ArmQueue queue(kStreams, kSize);
  arrive(queue, 0, range(0, 1000));
  served(queue, 0);
  const auto far = arrive(queue, 0, range(500'001, 1000));
  std::uint64_t now = kMs;
  std::uint64_t streamed = 0;
  for (;; ++streamed) {
    arrive(queue, now, range(1000 + streamed * 1000, 1000));
    const auto taken = served(queue, now);
    if (taken.ticket == far) break;
    now = taken.end_ns;
    ASSERT_LE(now, kStreamDeadlineNs);
  }
  EXPECT_EQ(now, kStreamDeadlineNs);
  EXPECT_EQ(streamed, 1999U);
}

}  // namespace
}  // namespace dmremap::lab
