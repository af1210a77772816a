// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a program of someone else's to its end, and for no longer than it may take or is wanted.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"

namespace dmremap::os {

struct ProgramRun {
  std::vector<std::string> words;  // the program first; looked for in PATH if it has no '/'
  std::string input{};             // what it reads as its standard input
  std::chrono::milliseconds at_most{30'000};
  std::size_t most_bytes = 0;  // of its output; what comes after that is thrown away
  // Asked several times a second; false: it is killed. Empty: it is wanted.
  std::function<bool()> wanted{};
};

struct ProgramEnd {
  enum class How {
    ended,        // `status` is as wait(2) has it
    not_started,  // `error` says why: ENOENT if there is no such program
    timed_out,    // killed at its deadline
    unwanted,     // killed because it was not wanted any more
  };
  How how = How::ended;
  int error = 0;
  int status = 0;
  std::string output{};
  std::string said{};  // the first line of what it wrote to its stderr, cut if it is long
  // Killed, and still there: it hangs in a system call. Whoever wants to run it again looks first
  // whether it has ended (reap()).
  std::optional<pid_t> left{};
};

// Runs the program in a session of its own, without our terminal. One that is killed goes together
// with all processes of its group; what one that has ended left in the background goes on.
[[nodiscard]] ProgramEnd run_to_end(const ProgramRun& run);

// True if the child has ended; its number is not to be used any more then.
[[nodiscard]] bool reap(pid_t child);

// The same where only success counts. Errors: no_such_device (there is no such program), permission
// (it may not be executed), timeout, io (it ended with another status than 0, or could not be
// started); they quote what it said.
[[nodiscard]] Result<void> run_program(const ProgramRun& run);

// Checks that `program` can be found and executed, so that a wrong one is noticed before it is
// needed. Errors as above.
[[nodiscard]] Result<void> check_program(const std::string& program);

}  // namespace dmremap::os
