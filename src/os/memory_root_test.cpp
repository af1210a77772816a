// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/memory_root.hpp"

#include <cerrno>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/sysfs.hpp"

namespace dmremap::os {
namespace {

constexpr int kNotToBeHad = 77;

bool is_there(const char* path) {
  return ::access(path, F_OK) == 0;
}

std::string mounts() {
  return read_attribute("/proc/self/mountinfo");
}

// What is wrong, by its number; 0: nothing. For a process of its own with mounts of its own, as a
// build's container may have /run where it has the rest.
int what_is_wrong() {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0) {
    return kNotToBeHad;
  }
  std::ofstream("/run/here") << "x";
  const std::string before = mounts();
  auto root = MemoryRoot::make();
  if (!root) return 1;
  if (!is_there("/etc/passwd") || mounts() != before) return 2;
  if (!(*root)->enter() || !(*root)->enter()) return 3;
  if (is_there("/etc/passwd") || is_there("/usr") || is_there("../etc")) return 4;
  if (!is_there("/run/here") || !is_there("/dev/null") || !is_there("/sys/block")) return 5;
  if (!is_there("/proc/self/exe")) return 6;
  std::ofstream("/run/new") << "x";
  if (::mkdir("/etc", 0755) == 0 || errno != EROFS) return 7;
  bool thread_sees_it = true;
  std::thread([&] { thread_sees_it = is_there("/etc/passwd"); }).join();
  if (thread_sees_it) return 8;
  if (!(*root)->leave() || !(*root)->leave()) return 9;
  if (!is_there("/etc/passwd") || !is_there("etc/passwd") || !is_there("/run/new")) return 10;
  if (mounts() != before) return 11;
  if (!(*root)->enter() || is_there("/etc/passwd")) return 12;
  root->reset();
  return is_there("/etc/passwd") ? 0 : 13;
}

TEST(MemoryRoot, HasWhatIsInMemoryAndNothingElseUntilItIsLeft) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(what_is_wrong());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNotToBeHad) GTEST_SKIP() << "this process may not mount";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(MemoryRoot, IsNoneWhereTheRootFileSystemCouldBeReachedThroughIt) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("/etc", "/run", nullptr, MS_BIND, nullptr) != 0) {
      ::_exit(kNotToBeHad);
    }
    const auto root = MemoryRoot::make();
    ::_exit(!root && root.error().code == ErrorCode::not_supported ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNotToBeHad) GTEST_SKIP() << "this process may not mount";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace dmremap::os
