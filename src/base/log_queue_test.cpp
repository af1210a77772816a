// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log_queue.hpp"

#include <chrono>
#include <cstddef>
#include <regex>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/log.hpp"

namespace dmremap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A log whose reader takes nothing until it is told to.
class Pipe {
 public:
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_ = FileDescriptor(ends[0]);
    write_ = FileDescriptor(ends[1]);
    EXPECT_GE(::fcntl(write_.get(), F_SETPIPE_SZ, 4096), 4096);
  }
  [[nodiscard]] int write_end() const { return write_.get(); }
  std::string read_line() {
    std::string line;
    char byte = 0;
    while (::read(read_.get(), &byte, 1) == 1 && byte != '\n') line.push_back(byte);
    return line;
  }

 private:
  FileDescriptor read_;
  FileDescriptor write_;
};

// How many lines a note says were dropped; 0 if it is none.
std::size_t dropped_by(const std::string& line) {
  std::smatch found;
  return std::regex_search(line, found, std::regex(" ([0-9]+) lines of the log were dropped here"))
             ? std::stoul(found[1])
             : 0;
}

TEST(LogQueue, Promise11_NobodyWaitsForAReaderThatTakesNothing) {
  for (const LogQueue::Thread thread : {LogQueue::Thread::on_demand, LogQueue::Thread::kept}) {
    Pipe pipe;
    LogQueue queue(pipe.write_end(), thread);
    constexpr std::size_t kLines = 20'000;
    // Would wait for ever if it wrote itself: the pipe holds a hundredth of it.
    for (std::size_t i = 0; i < kLines; ++i) queue.add(fmt::format("{:020}\n", i));
    EXPECT_FALSE(queue.flush(milliseconds(20)));

    // Every line is there, or counted where it is missing.
    std::size_t dropped = 0;
    for (std::size_t next = 0; next < kLines;) {
      const std::string line = pipe.read_line();
      const std::size_t lacking = dropped_by(line);
      if (lacking == 0) {
        ASSERT_EQ(line, fmt::format("{:020}", next));
        ++next;
      }
      next += lacking;
      dropped += lacking;
    }
    EXPECT_GT(dropped, kLines / 2);
    EXPECT_TRUE(queue.flush(seconds(60)));
    // And it goes on.
    queue.add("next\n");
    EXPECT_EQ(pipe.read_line(), "next");
  }
}

TEST(LogQueue, Promise11_TheEndWaitsForNobodyEither) {
  Pipe pipe;
  const std::string line(8192, 'x');
  {
    LogQueue queue(pipe.write_end(), LogQueue::Thread::on_demand);
    queue.add(line + "\n");
    EXPECT_FALSE(queue.flush(milliseconds(20)));
  }
  // The thread that hangs lets go, and finds all that it uses still there.
  EXPECT_EQ(pipe.read_line(), line);
}

TEST(LogQueue, WhatIsWrittenAtOnceIsWholeAndInOrder) {
  Pipe pipe;
  LogQueue queue(pipe.write_end(), LogQueue::Thread::on_demand);
  for (int i = 0; i < 100; ++i) queue.add(fmt::format("line {}\n", i));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(pipe.read_line(), fmt::format("line {}", i));
  EXPECT_TRUE(queue.flush(seconds(60)));
}

TEST(LogQueue, AnErrorOfTheFileIsNoHangUp) {
  const FileDescriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  LogQueue queue(full.get(), LogQueue::Thread::on_demand);
  queue.add("nobody sees this\n");
  EXPECT_TRUE(queue.flush(seconds(60)));
}

// A child has the queue, and no thread that empties it.
TEST(LogQueue, AChildOfAProcessThatHasOneWritesItself) {
  Pipe pipe;
  // The log of this process stays as it is.
  const pid_t with_queue = ::fork();
  ASSERT_GE(with_queue, 0);
  if (with_queue == 0) {
    ::dup2(pipe.write_end(), STDERR_FILENO);
    log_without_waiting(LogThread::kept);
    const pid_t child = ::fork();
    if (child == 0) {
      log(Severity::info, "of the child");
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    log(Severity::info, "of its parent");
    flush_log();
    ::_exit(0);
  }
  ::waitpid(with_queue, nullptr, 0);
  EXPECT_TRUE(pipe.read_line().ends_with("info: of the child"));
  EXPECT_TRUE(pipe.read_line().ends_with("info: of its parent"));
}

}  // namespace
}  // namespace dmremap
