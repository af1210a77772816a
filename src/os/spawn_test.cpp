// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/spawn.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "os/background.hpp"
#include "os/descriptor_io.hpp"

namespace dmremap::os {
namespace {

// What a shell command prints.
std::string output_of(Command command, const std::string& text) {
  command.words = {"sh", "-c", text};
  auto pipe = make_pipe();
  if (command.output == kNothing) command.output = pipe->writing.get();
  const auto child = spawn(command);
  pipe->writing.reset();
  std::string out = read_to_end(pipe->reading.get());
  EXPECT_EQ(wait_for(child.value()), 0);
  return out;
}

TEST(Spawn, AProgramReadsNothingAndWritesWhereItIsTold) {
  EXPECT_EQ(output_of({}, "cat; echo done; echo unheard >&2"), "done\n");
}

TEST(Spawn, AProgramHasTheDescriptorsItIsPassedAndNoOther) {
  // A shell may open some of its own, but none as high as this.
  const FileDescriptor ours(::fcntl(STDIN_FILENO, F_DUPFD, 77));  // without O_CLOEXEC
  auto passed = make_pipe();
  Command command;
  // The second has the number that the first is given.
  const FileDescriptor before(::dup(kPassedFd));
  ASSERT_EQ(::dup2(passed->writing.get(), kPassedFd), kPassedFd);
  command.passed = {ours.get(), kPassedFd};
  const std::string look =
      fmt::format("echo told >&4; [ -e /proc/$$/fd/{} ] || echo closed", ours.get());
  EXPECT_EQ(output_of(command, look), "closed\n");
  if (before.valid()) {
    ::dup2(before.get(), kPassedFd);
  } else {
    ::close(kPassedFd);
  }
  passed->writing.reset();
  EXPECT_EQ(read_to_end(passed->reading.get()), "told\n");
}

TEST(Spawn, AProgramThatIsNotThereIsAnError) {
  const auto child = spawn({{"dmremap-no-such-program"}});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error(), ENOENT);
}

TEST(Spawn, TheEndOfAProcessIsToldInWords) {
  EXPECT_EQ(end_in_words(wait_for(spawn({{"sh", "-c", "exit 7"}}).value())), "ended with status 7");
  EXPECT_EQ(end_in_words(wait_for(spawn({{"sh", "-c", "kill -9 $$"}}).value())),
            "was killed by signal 9");
}

TEST(Background, TheCommandHearsWhatTheServerSaysAndItsEnd) {
  auto fork = fork_to_background();
  ASSERT_TRUE(fork);
  if (fork->child) {
    fork->child->say("ready");
    ::_exit(fork->child->is_closed() ? 1 : 0);
  }
  EXPECT_EQ(read_to_end(fork->announced.get()), "ready");
  EXPECT_EQ(wait_for(fork->child_pid), 0);
}

TEST(Background, AServerThatEndsWithoutAWordIsNoticed) {
  auto fork = fork_to_background();
  ASSERT_TRUE(fork);
  if (fork->child) ::_exit(3);
  EXPECT_EQ(read_to_end(fork->announced.get()), "");
  EXPECT_EQ(end_in_words(wait_for(fork->child_pid)), "ended with status 3");
}

}  // namespace
}  // namespace dmremap::os
