// SPDX-License-Identifier: GPL-2.0-or-later
// The manual of a program, kept where its command line is: CLI11 knows the options, `describe` adds
// the prose. From the two come `VERB --help` and, by way of `--describe`, the man pages and the
// shell completion (tools/manual).
//
// Names of arguments, and of the values of options (`type_name`), say what completes them:
//   NAME                                            a running set
//   DEVICE MAIN SPARE IMAGE TARGET FILE PATH MOUNTFILE   a file
//   MOUNTPOINT DIRECTORY                            a directory
//   fuse|block|auto, lower case                     one of these words
//   NAME|DEVICE                                     either
//   NEW, COUNT, anything else                       nothing
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace dmremap::manual {

struct Example {
  std::string command;  // as it is typed
  std::string what;     // what it is good for: a sentence without its full stop
};

struct Exit {
  int code;
  std::string when;
};

struct Section {
  std::string title;
  std::string text;
};

// Text is plain: paragraphs with an empty line between them, `code` in backquotes. A paragraph that
// is indented throughout is printed as it stands; one whose first line alone is not indented
// explains what that line names.
struct Prose {
  std::string description{};
  std::vector<Example> examples{};
  // All but 2, wrong usage, which every verb has.
  std::vector<Exit> exits{};
  // What `--json` prints; empty: there is no --json.
  std::string json{};
  // Verbs of this program, or pages of others as "ddrescue(1)".
  std::vector<std::string> see_also{};
  // For a whole program.
  std::vector<Section> sections{};
};

// For a program or one of its verbs, after it was added to its parent and before it parses.
void describe(CLI::App& app, Prose prose);

// None: it was not described.
[[nodiscard]] const Prose* prose_of(const CLI::App& app);

// All of it: {"name","summary","description","arguments","options","verbs",...}.
[[nodiscard]] nlohmann::json to_json(const CLI::App& app);

// With `--describe` as the only argument: prints to_json and returns true.
[[nodiscard]] bool describes_itself(const CLI::App& app, int argc, const char* const* argv);

}  // namespace dmremap::manual
