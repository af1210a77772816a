// SPDX-License-Identifier: GPL-2.0-or-later
// What to do next about a set: from the verdict on its disk and from its conditions. Pure.
#pragma once

#include <string>
#include <vector>

#include "report/facts.hpp"

namespace dmremap::report {

// One step: `because` is the verdict or the condition that asks for it, `text` a plain sentence or
// two, `commands` are to be typed as they stand. Words in capitals in them are for the user to
// fill in.
struct Advice {
  std::string because;
  std::string text;
  std::vector<std::string> commands;
};

// The most urgent first. Never empty: of a good disk in a healthy set it says that nothing is to be
// done.
[[nodiscard]] std::vector<Advice> advise(const ReportFacts& facts);

// The verdict on the disk; "unknown" if the set has none.
[[nodiscard]] std::string verdict_of(const ReportFacts& facts);

// An argument as a shell takes it: in quotes where it needs them. A text with control characters,
// which cannot be typed, is replaced by `placeholder`.
[[nodiscard]] std::string shell_word(const std::string& text, const std::string& placeholder);

}  // namespace dmremap::report
