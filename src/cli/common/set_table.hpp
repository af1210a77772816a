// SPDX-License-Identifier: GPL-2.0-or-later
// Sets as a table, one line each, with the columns and in the order that a user asks for. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/common/known_sets.hpp"

namespace dmremap::cli {

struct TableRow {
  KnownSet set;
  std::vector<std::string> mounted;  // mount points
};

struct TableForm {
  // Names of columns with commas between them; empty: the usual ones. With a + before it, these are
  // added to the usual ones.
  std::string columns{};
  std::string ascending{};   // the column to sort by; empty: the order of the rows
  std::string descending{};  // the same, with the largest first
  bool headings = true;
  bool bytes = false;  // sizes as bytes, without a unit
};

// The names of all columns.
[[nodiscard]] std::vector<std::string> table_columns();

// Error usage: a column that there is not.
[[nodiscard]] Result<void> check_form(const TableForm& form);
// True if a column that is shown or sorted by tells more of a set than its name and UUID. Requires
// that check_form found nothing.
[[nodiscard]] bool needs_reports(const TableForm& form);
// Whether the table shows or sorts by the mount points, which cost a look at all mounts.
[[nodiscard]] bool needs_mounts(const TableForm& form);
// Lines, each with its line end. Requires the same.
[[nodiscard]] std::string print_table(std::vector<TableRow> rows, const TableForm& form);

}  // namespace dmremap::cli
