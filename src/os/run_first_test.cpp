// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/run_first.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "os/parallel_tasks.hpp"

namespace dmremap::os {
namespace {

bool is_on_in_new_thread() {
  bool out = true;
  std::thread([&out] { out = RunFirst::is_on(); }).join();
  return out;
}

bool is_on_in_task() {
  bool out = false;
  (void)run_parallel({[&out] { out = RunFirst::is_on(); }}, {});
  return out;
}

TEST(RunFirst, AThreadAndItsTasksRunBeforeProgramsUntilItEndsAndNoOtherOne) {
  {
    const RunFirst first;
    if (!RunFirst::is_on()) GTEST_SKIP() << "a real-time priority is not allowed here";
    EXPECT_FALSE(is_on_in_new_thread());
    EXPECT_TRUE(is_on_in_task());
  }
  EXPECT_FALSE(RunFirst::is_on());
  EXPECT_FALSE(is_on_in_task());
  const RunFirst unwanted(false);
  EXPECT_FALSE(RunFirst::is_on());
}

}  // namespace
}  // namespace dmremap::os
