// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/verdict_line.hpp"

#include <fmt/format.h>

#include "cli/common/output.hpp"

namespace dmremap::cli {

std::string verdict_line(const std::optional<control::HealthReport>& health) {
  if (!health) return {};
  // An unknown disk has no score: 0 would read as the worst of all.
  std::string out = "verdict: " + health->verdict;
  if (health->verdict != "unknown") out += fmt::format(" (score {} of 100)", health->score);
  if (!health->reasons.empty()) out += ": " + health->reasons.front().text;
  return printable(out);
}

}  // namespace dmremap::cli
