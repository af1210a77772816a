// SPDX-License-Identifier: GPL-2.0-or-later
// The rule that ships and four that do not: what an opening makes of the slots it finds. The wrong
// ones are here to be caught, so that a check that catches nothing is noticed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "metadata/decision.hpp"

namespace dmremap::quorum {

struct Ruling {
  metadata::Standing standing = metadata::Standing::no_winner;
  std::optional<metadata::CommitName> winner;
};

struct Rule {
  std::string name;
  Ruling (*judge)(const metadata::SlotFacts& facts, metadata::QuorumRule quorum);
};

// metadata::decide itself.
[[nodiscard]] const Rule& shipped_rule();
// Each takes a set read-write somewhere while an acknowledged commit is hidden.
[[nodiscard]] const std::vector<Rule>& wrong_rules();
// Not wrong, but refuses what the shipped rule rides out: forks are still refused, but the sequence
// alone orders.
[[nodiscard]] const Rule& rule_without_term_that_refuses_forks();

}  // namespace dmremap::quorum
