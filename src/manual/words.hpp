// SPDX-License-Identifier: GPL-2.0-or-later
// What CLI11 knows of a command line, in the words of a manual.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "manual/prose.hpp"

namespace CLI {  // NOLINT(readability-identifier-naming): not ours
class App;
class Option;
}  // namespace CLI

namespace dmremap::manual {

// In the order in which they were added, without hidden ones.
[[nodiscard]] std::vector<const CLI::Option*> visible_options(const CLI::App& app);
[[nodiscard]] std::vector<const CLI::App*> visible_verbs(const CLI::App& app);

// "SIZE"; empty for a flag.
[[nodiscard]] std::string value_of(const CLI::Option& option);
// By which word it is completed (manual.hpp): for an argument its name, unless `type_name` gives
// one.
[[nodiscard]] std::string completes(const CLI::Option& option);
// "--spare-size SIZE", "-f, --follow", "DEVICE...".
[[nodiscard]] std::string heading_of(const CLI::Option& option);
[[nodiscard]] bool takes_many(const CLI::Option& option);
// An option with a name of its own that must be given.
[[nodiscard]] bool is_required_option(const CLI::Option& option);
// What follows the name: " [OPTION...] NAME RANGE".
[[nodiscard]] std::string usage_of(const CLI::App& app);

// In the order of the codes. None of none.
[[nodiscard]] std::vector<Exit> with_wrong_usage(std::vector<Exit> exits);
// Without empty lines around it.
[[nodiscard]] std::string trimmed(const std::string& text);

// The width of what is written for a terminal.
inline constexpr std::size_t kHelpColumns = 80;
// Words in lines of at most `columns`, of which each but the first begins with `indent` blanks. The
// first is taken to be indented already. A word that is longer has a line of its own. What stands
// between backquotes is not divided.
[[nodiscard]] std::string filled(const std::string& text, std::size_t indent, std::size_t columns);
// The paragraphs of a text (prose.hpp) in lines of at most `columns`.
[[nodiscard]] std::string refilled(const std::string& text, std::size_t columns);

}  // namespace dmremap::manual
