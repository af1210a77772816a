// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/runtime_dir.hpp"

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::control {
namespace {

char process_state(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  std::getline(file, stat);
  const std::size_t name_end = stat.rfind(')');
  return name_end + 2 < stat.size() ? stat[name_end + 2] : '?';
}

class RuntimeDirTest : public testing::Test {
 protected:
  const TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
};

TEST_F(RuntimeDirTest, IsMadeForItsOwnerAlone) {
  const RuntimeDir dir(directory_ + "/run");
  ASSERT_TRUE(dir.make());
  struct stat st {};
  ASSERT_EQ(::stat(dir.path().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0700U);
  EXPECT_TRUE(dir.make());
}

TEST_F(RuntimeDirTest, OneThatOthersMayWriteToIsRefusedAndLeftAsItIs) {
  const RuntimeDir dir(directory_ + "/run");
  ASSERT_TRUE(dir.make());
  ASSERT_EQ(::chmod(dir.path().c_str(), 0777), 0);
  EXPECT_EQ(dir.make().error().code, ErrorCode::permission);
}

TEST_F(RuntimeDirTest, OneBelowADirectoryOfAnotherUserIsRefused) {
  std::filesystem::create_directory(directory_ + "/theirs");
  if (::chown((directory_ + "/theirs").c_str(), 65534, 65534) != 0) {
    GTEST_SKIP() << "only root can give directories away";
  }
  EXPECT_EQ(RuntimeDir(directory_ + "/theirs/run").make().error().code, ErrorCode::permission);
  EXPECT_EQ(RuntimeDir(directory_ + "/theirs/new/run").make().error().code, ErrorCode::permission);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/theirs/new"));
}

TEST_F(RuntimeDirTest, DirectoriesOnTheWayAreMade) {
  EXPECT_TRUE(RuntimeDir(directory_ + "/new/newer/run").make());
  EXPECT_TRUE(std::filesystem::is_directory(directory_ + "/new/newer/run"));
}

TEST_F(RuntimeDirTest, AFileInItsPlaceIsAnError) {
  std::ofstream(directory_ + "/run") << "x";
  EXPECT_FALSE(RuntimeDir(directory_ + "/run").make());
}

TEST_F(RuntimeDirTest, TheEnvironmentNamesIt) {
  ::setenv("DMREMAP_RUNTIME_DIR", directory_.c_str(), 1);
  EXPECT_EQ(RuntimeDir::from_environment()->path(), directory_);
  ::unsetenv("DMREMAP_RUNTIME_DIR");
}

TEST_F(RuntimeDirTest, APidFileNamesItsHolderAndIsGoneWithIt) {
  const RuntimeDir dir(directory_);
  const std::string path = dir.pid_file("data");
  EXPECT_FALSE(holder_of(path));
  {
    const auto held = PidFile::take(path);
    ASSERT_TRUE(held);
    EXPECT_EQ(holder_of(path), ::getpid());
    EXPECT_EQ(dir.names(), std::vector<std::string>{"data"});
    const auto second = PidFile::take(path);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::name_in_use);
    EXPECT_EQ(second.error().where, "data");
    EXPECT_NE(second.error().what.find(std::to_string(::getpid())), std::string::npos);
  }
  EXPECT_FALSE(holder_of(path));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(RuntimeDirTest, APidFileOfADeadProcessIsTakenOver) {
  const std::string path = directory_ + "/data.pid";
  const pid_t child = ::fork();
  if (child == 0) {
    auto held = PidFile::take(path);
    ::_exit(held ? 0 : 1);  // like a killed daemon: nothing is cleaned up
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_FALSE(holder_of(path));
  EXPECT_TRUE(PidFile::take(path));
}

// A killed process is a zombie to its parent long before the last of its threads let go of its
// files.
TEST_F(RuntimeDirTest, APidFileOfAProcessThatIsEndingIsWaitedFor) {
  const std::string path = directory_ + "/data.pid";
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    static auto held = PidFile::take(path);
    std::thread([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      ::_exit(0);
    }).detach();
    (void)!::write(ready[1], "r", 1);
    ::syscall(SYS_exit, 0);  // this thread alone
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ::close(ready[1]);
  siginfo_t info{};
  while (process_state(child) != 'Z') std::this_thread::yield();
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT), 0);
  ASSERT_EQ(info.si_pid, 0) << "still ending";
  EXPECT_EQ(holder_of(path), child);
  EXPECT_TRUE(PidFile::take(path));
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
}

}  // namespace
}  // namespace dmremap::control
