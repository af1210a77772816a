// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log_queue.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"

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
  // Everything up to a line that begins so.
  std::vector<std::string> read_until(const std::string& last) {
    std::vector<std::string> lines;
    std::string line;
    char byte = 0;
    while (::read(read_.get(), &byte, 1) == 1) {
      if (byte != '\n') {
        line.push_back(byte);
        continue;
      }
      lines.push_back(line);
      if (line.rfind(last, 0) == 0) break;
      line.clear();
    }
    return lines;
  }
  void close_reader() { read_.reset(); }

 private:
  FileDescriptor read_;
  FileDescriptor write_;
};

TEST(LogQueue, Promise11_NobodyWaitsForAReaderThatTakesNothing) {
  for (const LogQueue::Thread thread : {LogQueue::Thread::on_demand, LogQueue::Thread::kept}) {
    Pipe pipe;
    LogQueue queue(pipe.write_end(), thread);
    constexpr std::size_t kLines = 20'000;
    // Would wait for ever if it wrote itself: the pipe holds a hundredth of it.
    for (std::size_t i = 0; i < kLines; ++i) queue.add(fmt::format("{:020}\n", i));
    EXPECT_FALSE(queue.flush(milliseconds(20)));

    const std::vector<std::string> lines = pipe.read_until("2");  // a time, of the line that counts
    ASSERT_GT(lines.size(), 1U);
    // What was written is the beginning, whole; the rest was counted.
    for (std::size_t i = 0; i + 1 < lines.size(); ++i)
      EXPECT_EQ(lines[i], fmt::format("{:020}", i));
    EXPECT_NE(lines.back().find(
                  fmt::format(" {} lines of the log were dropped", kLines - lines.size() + 1)),
              std::string::npos)
        << lines.back();
    EXPECT_TRUE(queue.flush(seconds(60)));
    // And it goes on.
    queue.add("next\n");
    EXPECT_EQ(pipe.read_until("next"), std::vector<std::string>{"next"});
  }
}

TEST(LogQueue, Promise11_TheEndWaitsForNobodyEither) {
  Pipe pipe;
  {
    LogQueue queue(pipe.write_end(), LogQueue::Thread::on_demand);
    queue.add(std::string(8192, 'x') + "\n");
    EXPECT_FALSE(queue.flush(milliseconds(20)));
  }
  // The thread that hangs lets go, and finds all that it uses still there.
  const std::vector<std::string> lines = pipe.read_until("x");
  EXPECT_EQ(lines, std::vector<std::string>{std::string(8192, 'x')});
}

TEST(LogQueue, WhatIsWrittenAtOnceIsWholeAndInOrder) {
  Pipe pipe;
  LogQueue queue(pipe.write_end(), LogQueue::Thread::on_demand);
  for (int i = 0; i < 100; ++i) queue.add(fmt::format("line {}\n", i));
  queue.add("end\n");
  const std::vector<std::string> lines = pipe.read_until("end");
  ASSERT_EQ(lines.size(), 101U);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(lines[i], fmt::format("line {}", i));
  EXPECT_TRUE(queue.flush(seconds(60)));
}

TEST(LogQueue, AnErrorOfTheFileIsNoHangUp) {
  const FileDescriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  LogQueue queue(full.get(), LogQueue::Thread::on_demand);
  queue.add("nobody sees this\n");
  EXPECT_TRUE(queue.flush(seconds(60)));
}

}  // namespace
}  // namespace dmremap
