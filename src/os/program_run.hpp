// SPDX-License-Identifier: GPL-2.0-or-later
// Runs another program for what it prints, and no longer than is wanted.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace dmremap::os {

struct ProgramRun {
  std::vector<std::string> words;  // the program first; looked for in PATH if it has no '/'
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
  std::string output;
  // Killed, and still there: it hangs in a system call. Whoever wants to run it again looks first
  // whether it has ended (reap()).
  std::optional<pid_t> left{};
};

// It gets no input, no terminal's signals, and its errors go nowhere. Killed together with what it
// has started.
[[nodiscard]] ProgramEnd run_program(const ProgramRun& run);

// True if the child has ended; its number is not to be used any more then.
[[nodiscard]] bool reap(pid_t child);

}  // namespace dmremap::os
