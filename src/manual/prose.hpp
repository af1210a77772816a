// SPDX-License-Identifier: GPL-2.0-or-later
// What a manual says of a program or verb beyond its arguments and options.
#pragma once

#include <string>
#include <vector>

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

}  // namespace dmremap::manual
