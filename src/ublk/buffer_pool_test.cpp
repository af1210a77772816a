// SPDX-License-Identifier: GPL-2.0-or-later
#include "ublk/buffer_pool.hpp"

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::ublk {
namespace {

constexpr std::size_t kPage = BufferPool::kPageBytes;

struct CountingWaiter final : BufferPool::Waiter {
  void memory_may_be_there() override { ++told; }
  std::atomic<int> told{0};
};

TEST(UblkBufferPool, LeasesDoNotOverlapAndAreAligned) {
  BufferPool pool(8 * kPage);
  CountingWaiter waiter;
  const auto a = pool.take(1, waiter);
  const auto b = pool.take(2 * kPage, waiter);
  const auto c = pool.take(512, waiter);
  for (const auto* lease : {&a, &b, &c}) {
    ASSERT_FALSE(lease->empty());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(lease->data().data()) % kPage, 0U);
  }
  EXPECT_EQ(b.data().size(), 2 * kPage);
  EXPECT_GE(b.data().data(), a.data().data() + kPage);
  EXPECT_GE(c.data().data(), b.data().data() + 2 * kPage);
}

TEST(UblkBufferPool, WhoFindsNoRoomIsToldWhenThereMayBeSome) {
  BufferPool pool(2 * kPage);
  CountingWaiter waiter;
  auto all = pool.take(2 * kPage, waiter);
  EXPECT_TRUE(pool.take(kPage, waiter).empty());
  EXPECT_EQ(waiter.told, 0);
  all.drop();
  EXPECT_EQ(waiter.told, 1);
  EXPECT_FALSE(pool.take(2 * kPage, waiter).empty());
}

TEST(UblkBufferPool, ALargeRequestIsNotOvertakenBySmallOnes) {
  BufferPool pool(4 * kPage);
  CountingWaiter large;
  CountingWaiter small;
  auto first = pool.take(kPage, small);
  EXPECT_TRUE(pool.take(4 * kPage, large).empty());
  EXPECT_TRUE(pool.take(kPage, small).empty());  // there is room, but it waits behind the large one
  first.drop();
  EXPECT_EQ(large.told, 1);
  EXPECT_EQ(small.told, 0);
  auto whole = pool.take(4 * kPage, large);
  ASSERT_FALSE(whole.empty());
  EXPECT_EQ(small.told, 1);  // it is the first one now
  whole.drop();
  EXPECT_FALSE(pool.take(kPage, small).empty());
}

TEST(UblkBufferPool, OneThatIsForgottenHoldsNobodyUp) {
  BufferPool pool(kPage);
  CountingWaiter gone;
  CountingWaiter next;
  auto all = pool.take(kPage, gone);
  EXPECT_TRUE(pool.take(kPage, gone).empty());
  EXPECT_TRUE(pool.take(kPage, next).empty());
  pool.forget(gone);
  EXPECT_EQ(next.told, 1);
  all.drop();
  EXPECT_FALSE(pool.take(kPage, next).empty());
}

TEST(UblkBufferPool, FindsRoomBeforeThePlaceWhereItLookedLast) {
  BufferPool pool(4 * kPage);
  CountingWaiter waiter;
  auto a = pool.take(2 * kPage, waiter);
  auto b = pool.take(2 * kPage, waiter);
  a.drop();
  auto c = pool.take(kPage, waiter);
  b.drop();
  EXPECT_FALSE(c.empty());
  EXPECT_FALSE(pool.take(3 * kPage, waiter).empty());
}

TEST(UblkBufferPool, ThreadsNeverShareMemory) {
  BufferPool pool(8 * kPage);
  std::atomic<bool> wrong{false};
  const auto work = [&](unsigned char mine) {
    CountingWaiter waiter;
    for (int i = 0; i < 2000; ++i) {
      auto lease = pool.take((1 + static_cast<std::size_t>(i) % 3) * kPage, waiter);
      if (lease.empty()) {
        std::this_thread::yield();
        continue;
      }
      std::memset(lease.data().data(), mine, lease.data().size());
      for (const std::byte b : lease.data()) {
        if (b != std::byte{mine}) wrong = true;
      }
    }
    pool.forget(waiter);
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned char i = 1; i <= 3; ++i) threads.emplace_back(work, i);
  }
  EXPECT_FALSE(wrong);
}

}  // namespace
}  // namespace dmremap::ublk
