// SPDX-License-Identifier: GPL-2.0-or-later
// The threads of a FUSE file, with requests that a counter of the kernel's stands for: a read that
// waits and is interrupted as that of /dev/fuse is.
#include "frontend/fuse/thread_pool.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/units.hpp"

namespace dmremap::fuse {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A minute: on a loaded machine a thread may be kept from running for long.
bool comes_true(const std::function<bool()>& condition) {
  const auto end = steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

class ThreadPoolTest : public testing::Test {
 protected:
  // A test that has failed may have left requests that are held.
  ~ThreadPoolTest() override {
    go.release(64);
    pool.end();
  }

  void ask(std::uint64_t requests) {
    ASSERT_EQ(::write(requests_.get(), &requests, sizeof(requests)), ssize_t{sizeof(requests)});
  }

  void serve(ThreadPool::Worker& self) {
    while (pool.next(self)) {
      std::uint64_t one = 0;
      pool.waits(self);
      const bool got = ::read(requests_.get(), &one, sizeof(one)) == ssize_t{sizeof(one)};
      pool.has(self, got);
      if (got) {
        work();
        served.fetch_add(1);
      }
    }
  }

  // From now on a request is held until `go`.
  void hold_requests() {
    work = [this] {
      held.fetch_add(1);
      go.acquire();
    };
  }

  // One takes requests, another is on standby, and the memory of all others is given back.
  bool is_small() {
    const ThreadPool::Counts counts = pool.counts();
    return counts.threads == 2 && counts.standby == 1 && counts.workers == 2;
  }

  std::function<void()> work = [] {};
  std::counting_semaphore<> go{0};
  std::atomic<unsigned> held{0};
  std::atomic<bool> slow{false};
  std::atomic<std::uint64_t> served{0};
  FileDescriptor requests_{::eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)};
  ThreadPool pool{{.name = "a test", .unit_bytes = kSectorBytes, .not_needed = milliseconds(1)},
                  [this](ThreadPool::Worker& self) { serve(self); }};
};

// While many end at once, another is needed. Whoever took one that was about to end for the one on
// standby made none, and if all was quiet then, two threads and the memory of all were left for
// ever.
TEST_F(ThreadPoolTest, OneIsOnStandbyAfterAnyLoad) {
  work = [this] {
    if (slow.load()) std::this_thread::sleep_for(milliseconds(1));
  };
  ASSERT_TRUE(pool.start(16, false).has_value());
  for (unsigned round = 0; round < 200; ++round) {
    slow.store(true);
    ask(16);
    std::this_thread::sleep_for(milliseconds(1));
    slow.store(false);
    for (unsigned single = 0; single < 40; ++single) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      ask(1);
    }
    ASSERT_TRUE(comes_true([this] { return is_small(); }))
        << "round " << round << ": " << pool.counts().threads << " threads, "
        << pool.counts().standby << " on standby, memory of " << pool.counts().workers;
  }
}

TEST_F(ThreadPoolTest, AsManyAsAreNeededAreMade) {
  hold_requests();
  ASSERT_TRUE(pool.start(4, false).has_value());
  ask(6);
  EXPECT_TRUE(comes_true([&] { return held.load() == 4; }));
  // The other two wait for a thread; the one on standby is not for them.
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(held.load(), 4U);
  EXPECT_EQ(pool.counts().threads, 5U);
  go.release(6);
  EXPECT_TRUE(comes_true([&] { return served.load() == 6 && is_small(); }));
}

TEST_F(ThreadPoolTest, OneThatIsStuckIsReplaced) {
  hold_requests();
  ASSERT_TRUE(pool.start(2, false).has_value());
  for (unsigned stuck = 0; stuck < 5; ++stuck) {
    ask(1);
    ASSERT_TRUE(comes_true([&] { return held.load() == stuck + 1; }));
    pool.on_stuck();
  }
  for (unsigned stuck = 0; stuck < 5; ++stuck) pool.on_free();
  go.release(5);
  EXPECT_TRUE(comes_true([&] { return served.load() == 5 && is_small(); }));
}

// Making a thread could wait for the disk itself.
TEST_F(ThreadPoolTest, AllAreMadeAtTheStartAndStay) {
  ASSERT_TRUE(pool.start(4, true).has_value());
  EXPECT_TRUE(comes_true([this] { return pool.counts().standby == 1; }));
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(pool.counts().threads, 5U);
  EXPECT_EQ(pool.counts().workers, 5U);
}

}  // namespace
}  // namespace dmremap::fuse
