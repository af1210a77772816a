// SPDX-License-Identifier: GPL-2.0-or-later
// Pieces of HTML from texts that nobody vouches for. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "view/markup.hpp"

namespace dmremap::report {

using view::escape;

// An escaped text in an element that keeps a name in a right-to-left script from moving its
// neighbours.
[[nodiscard]] std::string isolated(std::string_view text);

// "2026-11-22T16:50:45Z" as an element, readable; any other text is only escaped.
[[nodiscard]] std::string time_element(const std::string& time);

// <h2> and what stands below it, as a section that is named by its heading. `title` is plain text.
[[nodiscard]] std::string section(const std::string& id, const std::string& title,
                                  const std::string& html);

struct Column {
  std::string title;
  bool is_number = false;
};

// A table with a caption and headings. The first cell of a row is the row's heading.
class Table {
 public:
  // `kind` is a class of the style sheet; may be empty.
  Table(std::string caption, std::vector<Column> columns, std::string kind = {});

  // As many cells as columns, each of them HTML.
  void add_row(const std::vector<std::string>& cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string html() const;

 private:
  std::string caption_;
  std::vector<Column> columns_;
  std::string kind_;
  std::string rows_;
};

// A table of two columns without headings above them: what, and its value, each of them HTML.
class FactTable {
 public:
  explicit FactTable(std::string caption) : caption_(std::move(caption)) {}

  void add(const std::string& what, const std::string& html);
  [[nodiscard]] std::string html() const;

 private:
  std::string caption_;
  std::string rows_;
};

}  // namespace dmremap::report
