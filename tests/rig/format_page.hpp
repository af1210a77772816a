// SPDX-License-Identifier: GPL-2.0-or-later
// docs/on-disk-format.md as tests read it: its tables, and a structure compared with one of them.
#pragma once

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/checksum.hpp"
#include "base/endian.hpp"

namespace dmremap::format::page {

using Bytes = std::vector<std::byte>;
using Cells = std::vector<std::string>;

struct Row {
  std::size_t offset = 0;
  std::size_t size = 0;
  std::string field;

  [[nodiscard]] std::size_t end() const { return offset + size; }
};

struct Chapter {
  std::string text;
  std::vector<Cells> table;  // without its heading
};

inline Cells cells_of(const std::string& line) {
  Cells out;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    const auto first = cell.find_first_not_of(' ');
    const auto last = cell.find_last_not_of(' ');
    out.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return out;
}

// By heading.
inline const std::map<std::string, Chapter>& chapters() {
  static const auto all = [] {
    std::map<std::string, Chapter> out;
    std::ifstream in(DMREMAP_FORMAT_PAGE);
    std::string heading;
    bool in_table = false;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("#")) heading = line.substr(line.find(' ') + 1);
      if (line.starts_with("|---")) {
        in_table = true;
      } else if (!line.starts_with("|")) {
        in_table = false;
        out[heading].text += line + " ";
      } else if (in_table) {
        out[heading].table.push_back(cells_of(line));
      }
    }
    return out;
  }();
  return all;
}

inline Chapter chapter(const std::string& heading) {
  const auto found = chapters().find(heading);
  if (found == chapters().end()) {
    ADD_FAILURE() << "the page has no chapter " << heading;
    return {};
  }
  return found->second;
}

inline std::vector<Row> rows_of(const std::string& heading) {
  std::vector<Row> out;
  for (const Cells& cells : chapter(heading).table) {
    if (cells.size() != 3) {
      ADD_FAILURE() << heading << ": a row has " << cells.size() << " cells";
      return {};
    }
    out.push_back({std::stoul(cells[0]), std::stoul(cells[1]), cells[2]});
  }
  return out;
}

// A row that starts so; of several the one at `nth`.
inline Row row_of(const std::string& heading, std::string_view start, std::size_t nth = 0) {
  for (const Row& row : rows_of(heading)) {
    if (row.field.starts_with(start) && nth-- == 0) return row;
  }
  ADD_FAILURE() << heading << ": no row '" << start << "'";
  return {0, 1, {}};
}

inline bool is_zero_row(const Row& row) {
  return row.field == "zero";
}

// "CRC32C of bytes 0-507": the range, or none.
inline std::optional<std::pair<std::size_t, std::size_t>> covered(const Row& row) {
  const auto at = row.field.find(" of bytes ");
  std::size_t first = 0;
  std::size_t last = 0;
  if (at == std::string::npos ||
      std::sscanf(row.field.c_str() + at, " of bytes %zu-%zu", &first, &last) != 2) {
    return std::nullopt;
  }
  return std::pair(first, last + 1 - first);
}

// --- a structure against its table ---------------------------------------------------------------

enum class Changes { all_bytes, some_bytes };  // of the row

template <typename T>
struct Field {
  std::string_view row;
  std::function<void(T&)> set;
  Changes changes = Changes::all_bytes;
};

template <typename T>
struct Structure {
  std::string heading;
  std::size_t size = 0;
  T base;
  std::function<Bytes(const T&)> pack;
  std::vector<Field<T>> fields;
  // Rows of fixed content, looked at elsewhere.
  std::vector<std::string_view> constant;
};

inline void check_tiled(const std::string& heading, const std::vector<Row>& rows,
                        std::size_t size) {
  std::size_t end = 0;
  for (const Row& row : rows) {
    EXPECT_EQ(row.offset, end) << heading << ": " << row.field;
    end = row.end();
  }
  EXPECT_EQ(end, size) << heading;
}

inline void check_checksum(const std::string& heading, const Row& row,
                           std::span<const std::byte> bytes) {
  const auto [first, length] = *covered(row);
  const auto what = bytes.subspan(first, length);
  if (row.field.starts_with("CRC32C")) {
    EXPECT_EQ(load_le<std::uint32_t>(bytes, row.offset), crc32c(what)) << heading;
    EXPECT_EQ(row.size, 4U) << heading;
  } else {
    const Sha256 digest = sha256(what);
    EXPECT_TRUE(std::ranges::equal(bytes.subspan(row.offset, row.size), digest)) << heading;
  }
}

template <typename T>
void check_field(const Structure<T>& structure, const std::vector<Row>& rows, const Row& row,
                 const Field<T>& field) {
  T changed = structure.base;
  field.set(changed);
  const Bytes before = structure.pack(structure.base);
  const Bytes after = structure.pack(changed);
  std::size_t touched = 0;
  for (std::size_t at = 0; at < structure.size; ++at) {
    const auto in = [&](const Row& r) { return at >= r.offset && at < r.end(); };
    if (std::ranges::any_of(rows, [&](const Row& r) { return covered(r) && in(r); })) continue;
    if (before[at] == after[at]) continue;
    EXPECT_TRUE(in(row)) << structure.heading << ": '" << field.row << "' changes byte " << at;
    ++touched;
  }
  if (field.changes == Changes::all_bytes) {
    EXPECT_EQ(touched, row.size) << structure.heading << ": bytes of '" << row.field << "'";
  } else {
    EXPECT_GT(touched, 0U) << structure.heading << ": bytes of '" << row.field << "'";
  }
}

template <typename T>
void check_structure(const Structure<T>& structure) {
  const std::vector<Row> rows = rows_of(structure.heading);
  check_tiled(structure.heading, rows, structure.size);
  const Bytes base = structure.pack(structure.base);
  ASSERT_EQ(base.size(), structure.size) << structure.heading;
  std::size_t known = 0;
  for (const Row& row : rows) {
    const auto starts = [&](std::string_view start) { return row.field.starts_with(start); };
    if (is_zero_row(row)) {
      EXPECT_TRUE(std::all_of(base.begin() + static_cast<std::ptrdiff_t>(row.offset),
                              base.begin() + static_cast<std::ptrdiff_t>(row.end()),
                              [](std::byte b) { return b == std::byte{0}; }))
          << structure.heading << ": byte " << row.offset;
    } else if (covered(row)) {
      check_checksum(structure.heading, row, base);
    } else if (std::ranges::none_of(structure.constant, starts)) {
      const auto field = std::ranges::find_if(
          structure.fields, [&](const Field<T>& f) { return row.field.starts_with(f.row); });
      ASSERT_NE(field, structure.fields.end())
          << structure.heading << ": the code has no field '" << row.field << "'";
      check_field(structure, rows, row, *field);
      ++known;
    }
  }
  EXPECT_EQ(known, structure.fields.size()) << structure.heading << ": rows are missing";
}

}  // namespace dmremap::format::page
