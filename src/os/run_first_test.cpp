// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/run_first.hpp"

#include <thread>

#include <gtest/gtest.h>
#include <sched.h>

namespace dmremap::os {
namespace {

int policy_of_new_thread() {
  int out = -1;
  std::thread([&out] { out = ::sched_getscheduler(0); }).join();
  return out;
}

TEST(RunFirst, AThreadAndThoseThatItStartsRunBeforeProgramsUntilItEnds) {
  const sched_param lowest{.sched_priority = ::sched_get_priority_min(SCHED_FIFO)};
  const sched_param none{.sched_priority = 0};
  if (::sched_setscheduler(0, SCHED_FIFO, &lowest) != 0) {
    GTEST_SKIP() << "a real-time priority is not allowed here";
  }
  ASSERT_EQ(::sched_setscheduler(0, SCHED_OTHER, &none), 0);
  {
    const RunFirst first;
    EXPECT_EQ(::sched_getscheduler(0), SCHED_FIFO);
    EXPECT_EQ(policy_of_new_thread(), SCHED_FIFO);
  }
  EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
  EXPECT_EQ(policy_of_new_thread(), SCHED_OTHER);
}

}  // namespace
}  // namespace dmremap::os
