// SPDX-License-Identifier: GPL-2.0-or-later
// The output of a verb: text or JSON on stdout, one error line on stderr, and an exit code.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"

namespace dmremap::cli {

inline constexpr int kJsonVersion = 1;

// Exit codes, beyond the classes of errors (base/error_code.hpp).
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kAttention = 4;

// Prints the error to stderr, as one line or as `{"error":...}`. If it has no hint, it gets the
// usual one for its code. Returns its exit code.
int report(const Error& given, bool as_json);

// How much is said beside the answer of a verb. It is the same for the whole program, and set
// before any verb begins.
enum class Verbosity {
  quiet,    // errors alone: no warnings and no progress
  normal,   // warnings too
  verbose,  // what is looked at and why, too
};
void set_verbosity(Verbosity verbosity);
[[nodiscard]] bool is_quiet();

// "dmremap: warning: ..." on stderr, unless it is to be quiet.
void warn(const std::string& text);
// "dmremap: ..." on stderr, if it is to be verbose.
void tell(const std::string& text);

// Prints one object with json_version to stdout, indented.
void print_json(nlohmann::json object);

// Control characters and line ends, which may come from a path or from a disk, as \x0a.
[[nodiscard]] std::string printable(const std::string& text);

}  // namespace dmremap::cli
