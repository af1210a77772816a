// SPDX-License-Identifier: GPL-2.0-or-later
// "N to M of 100 such disks fail within a year", by published tables. Rotating disks only: for
// others there is no table that goes by what is known here, and the risk is unknown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dmremap::health {

enum class Medium : std::uint8_t { unknown, disk, solid_state, card, image };

struct Risk {
  bool known = false;
  unsigned low_of_100 = 0;
  unsigned high_of_100 = 0;
  // The table, its year and row; or why nothing is known.
  std::string source;

  bool operator==(const Risk&) const = default;
};

// What the tables are entered with. Counts of 512-byte sectors are no use here: blocks as the drive
// counts them.
struct RiskFacts {
  Medium medium = Medium::unknown;
  std::uint64_t own_unreadable = 0;  // blocks that we found unreadable or moved, ever
  bool own_stable = false;           // none of them lately
  bool smart_known = false;
  std::optional<std::uint64_t> reallocated;
  std::optional<std::uint64_t> reported;
  std::optional<std::uint64_t> pending;
  std::optional<std::uint64_t> offline;
  bool smart_stable = false;  // none of these grew for long
};

// The row with the highest rate decides; rates of attributes are never multiplied, since one bad
// block raises several of them. A count that does not grow ranges from the fleet's rate to that of
// its row, because no table tells old counts from growing ones.
[[nodiscard]] Risk risk_of(const RiskFacts& facts);

// "20 to 39 of 100 such disks fail within a year (Backblaze 2014, ...)".
[[nodiscard]] std::string text(const Risk& risk);

}  // namespace dmremap::health
