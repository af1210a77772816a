// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a program of someone else's to its end, and not for longer than it may take.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace dmremap::os {

struct ProgramRun {
  std::vector<std::string> words;  // the program first; looked for in PATH if it has no '/'
  std::string input;               // what it reads as its standard input
  std::chrono::milliseconds deadline{};
};

// Runs the program in a session of its own. What it prints is not kept, but an error quotes the
// first line of what it wrote to its stderr. A program that is not done at its deadline is killed
// with all processes of its group. What it left running in the background goes on.
//
// Errors: no_such_device (there is no such program), permission (it may not be executed), timeout,
// io (it ended with another status than 0, or could not be started).
[[nodiscard]] Result<void> run_program(const ProgramRun& run);

// Checks that `program` can be found and executed, so that a wrong one is noticed before it is
// needed. Errors as above.
[[nodiscard]] Result<void> check_program(const std::string& program);

}  // namespace dmremap::os
