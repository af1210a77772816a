// SPDX-License-Identifier: GPL-2.0-or-later
// The manual of a program, kept where its command line is: CLI11 knows the options, `describe` adds
// the prose. From the two come `VERB --help` and, by way of `--describe`, the man pages and the
// shell completion (tools/manual). Programs use command_line.hpp; this is what lies behind it.
#pragma once

#include <string>

#include "manual/prose.hpp"

namespace CLI {  // NOLINT(readability-identifier-naming): not ours
class App;
}  // namespace CLI

namespace dmremap::manual {

// For a program or one of its verbs, after it was added to its parent and before it parses.
void describe(CLI::App& app, Prose prose);

// The help of a program or verb. `name`: as it is called, "dmremap bad import".
[[nodiscard]] std::string help_text(const CLI::App& app, const std::string& name);

// All of it, as JSON: {"name","summary","description","arguments","options","verbs",...}.
[[nodiscard]] std::string description_of(const CLI::App& app);

}  // namespace dmremap::manual
