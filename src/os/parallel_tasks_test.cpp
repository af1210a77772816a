// SPDX-License-Identifier: GPL-2.0-or-later
// Tasks run at the same time; one that hangs is left behind and holds up nobody, and one that is
// only slow is waited for.
#include "os/parallel_tasks.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

namespace dmremap::os {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPatience{1000};

// A device that does not answer until it is told to. Whoever waits for it owns a part of it.
class Hanging {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return answers_; });
    ++answered_;
    released_.notify_all();
  }
  void answer_and_wait_for(int waiting) {
    std::unique_lock lock(mutex_);
    answers_ = true;
    released_.notify_all();
    released_.wait(lock, [&] { return answered_ == waiting; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable released_;
  bool answers_ = false;
  int answered_ = 0;
};

TEST(ParallelTasks, AllRunAndAtTheSameTime) {
  const auto count = std::make_shared<std::atomic<int>>(0);
  std::vector<std::function<void()>> tasks(40, [count] {
    std::this_thread::sleep_for(milliseconds(100));
    ++*count;
  });
  const auto begin = steady_clock::now();
  const auto ended = run_parallel(std::move(tasks));
  EXPECT_LT(steady_clock::now() - begin, milliseconds(2500)) << "one by one it is four seconds";
  EXPECT_EQ(ended, std::vector<bool>(40, true));
  EXPECT_EQ(*count, 40);
}

TEST(ParallelTasks, NoneAreDoneAtOnce) {
  EXPECT_TRUE(run_parallel({}).empty());
}

TEST(ParallelTasks, OnesThatHangHoldUpNobodyThoughTheyHaveAllThreads) {
  const auto hanging = std::make_shared<Hanging>();
  const auto count = std::make_shared<std::atomic<int>>(0);
  std::vector<std::function<void()>> tasks(2, [hanging] { hanging->wait(); });
  tasks.insert(tasks.end(), 5, [count] { ++*count; });
  const auto ended = run_parallel(std::move(tasks), {2, kPatience});
  EXPECT_EQ(ended, (std::vector<bool>{false, false, true, true, true, true, true}));
  EXPECT_EQ(*count, 5);
  // Their threads end well after all is over, with what they own.
  hanging->answer_and_wait_for(2);
}

TEST(ParallelTasks, OneThatIsSlowButAnswersIsWaitedFor) {
  const auto answers = std::make_shared<std::atomic<int>>(0);
  const auto ended = run_parallel({[answers] {
                                    for (; *answers < 10; ++*answers) {
                                      std::this_thread::sleep_for(kPatience / 4);
                                    }
                                  }},
                                  {1, kPatience});
  EXPECT_EQ(ended, std::vector<bool>{true});
  EXPECT_EQ(*answers, 10);
}

}  // namespace
}  // namespace dmremap::os
