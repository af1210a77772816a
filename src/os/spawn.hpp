// SPDX-License-Identifier: GPL-2.0-or-later
// Running other programs.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>
#include <tl/expected.hpp>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

// Values for a standard file of a program that is not a descriptor of this process.
inline constexpr int kNothing = -1;  // /dev/null

struct Command {
  std::vector<std::string> words;  // the program first; looked for in PATH if it has no '/'
  int input = kNothing;
  int output = kNothing;
  int errors = kNothing;
  // Descriptors kPassedFd and those after it of the program, which then gets no others than these
  // and its standard files. If it is empty, it gets whatever is not closed when a program is
  // executed.
  std::vector<int> passed = {};
  // No terminal's signals reach it, and none of ours are blocked in it.
  bool own_session = false;
};
inline constexpr int kPassedFd = 3;

// Starts it. The error is an errno: ENOENT if there is no such program.
[[nodiscard]] tl::expected<pid_t, int> spawn(const Command& command);

// Waits until the child has ended. Its status as wait(2) has it.
int wait_for(pid_t child);
// "was killed by signal 9", "ended with status 1".
[[nodiscard]] std::string end_in_words(int status);

struct Pipe {
  FileDescriptor reading;
  FileDescriptor writing;
};
// Both ends are closed when a program is executed.
[[nodiscard]] Result<Pipe> make_pipe();

}  // namespace dmremap::os
