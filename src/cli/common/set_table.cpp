// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/set_table.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/assert.hpp"
#include "base/size_text.hpp"
#include "cli/common/output.hpp"

namespace dmremap::cli {

namespace {

constexpr std::string_view kUsualColumns = "name,state,size,lost,remapped,spare-use,device";
constexpr std::string_view kUnknown = "-";

enum class ColumnKind { text, count, size, percent };

// What a column says of a set: `text` of the kind text, else `number`. Sizes are in sectors. Empty:
// it is not known.
struct TableCell {
  std::string text;
  std::optional<std::uint64_t> number;
};

struct TableColumn {
  std::string_view name;
  ColumnKind kind;
  bool in_hint;  // known without the set or its devices
  TableCell (*cell)(const TableRow& row);
};

TableCell text_cell(std::string text) {
  return {std::move(text), std::nullopt};
}

TableCell joined(const std::vector<std::string>& words) {
  return text_cell(fmt::format("{}", fmt::join(words, ",")));
}

template <typename Get>
TableCell of_report(const TableRow& row, Get get) {
  return row.set.report ? TableCell{{}, get(*row.set.report)} : TableCell{};
}

std::uint64_t used(const control::SetReport& set) {
  return set.spare_room().used();
}

// What is retired is used up as well.
std::optional<std::uint64_t> percent_used(const control::SetReport& set) {
  const control::SpareRoom room = set.spare_room();
  if (room.capacity == 0) return std::nullopt;
  return 100 * room.taken() / room.capacity;
}

std::string device_of(const TableRow& row) {
  if (!row.set.report || row.set.report->exports.empty()) return {};
  return row.set.report->exports.front().where;
}

std::vector<std::string> spares_of(const TableRow& row) {
  std::vector<std::string> out;
  if (!row.set.report) return out;
  for (const control::SpareReport& spare : row.set.report->spares) out.push_back(spare.path);
  return out;
}

using Report = control::SetReport;
using Row = TableRow;

constexpr std::array<TableColumn, 20> kColumns{{
    {"name", ColumnKind::text, true, [](const Row& row) { return text_cell(row.set.name); }},
    {"uuid", ColumnKind::text, true,
     [](const Row& row) {
       return row.set.uuid ? text_cell(to_string(*row.set.uuid)) : TableCell{};
     }},
    {"state", ColumnKind::text, false,
     [](const Row& row) { return text_cell(state_word(row.set)); }},
    {"conditions", ColumnKind::text, false,
     [](const Row& row) { return joined(row.set.conditions); }},
    {"size", ColumnKind::size, false,
     [](const Row& row) {
       return of_report(row, [](const Report& set) { return set.size_sectors; });
     }},
    {"lost", ColumnKind::count, false,
     [](const Row& row) {
       return of_report(row, [](const Report& set) { return set.lost_sectors; });
     }},
    {"gone", ColumnKind::count, false,
     [](const Row& row) {
       return of_report(row, [](const Report& set) { return set.gone_sectors; });
     }},
    {"suspect", ColumnKind::count, false,
     [](const Row& row) {
       return of_report(row, [](const Report& set) { return set.suspect_sectors; });
     }},
    {"remapped", ColumnKind::count, false,
     [](const Row& row) {
       return of_report(row, [](const Report& set) { return set.remapped_sectors; });
     }},
    {"used", ColumnKind::size, false, [](const Row& row) { return of_report(row, used); }},
    {"free", ColumnKind::size, false,
     [](const Row& row) {
       return of_report(row, [](const Report& set) { return set.spare_room().free; });
     }},
    {"spare-size", ColumnKind::size, false,
     [](const Row& row) {
       return of_report(row, [](const Report& set) { return set.spare_room().capacity; });
     }},
    {"spare-use", ColumnKind::percent, false,
     [](const Row& row) { return of_report(row, percent_used); }},
    {"device", ColumnKind::text, false, [](const Row& row) { return text_cell(device_of(row)); }},
    {"mounted", ColumnKind::text, false, [](const Row& row) { return joined(row.mounted); }},
    {"main", ColumnKind::text, false,
     [](const Row& row) {
       return text_cell(row.set.report ? row.set.report->main.path : std::string());
     }},
    {"spare", ColumnKind::text, false, [](const Row& row) { return joined(spares_of(row)); }},
    {"pid", ColumnKind::count, false,
     [](const Row& row) {
       TableCell out;
       if (row.set.pid) out.number = static_cast<std::uint64_t>(*row.set.pid);
       return out;
     }},
    {"health", ColumnKind::text, false,
     [](const Row& row) {
       const bool known = row.set.report && row.set.report->health;
       return text_cell(known ? row.set.report->health->verdict : std::string());
     }},
    {"reason", ColumnKind::text, false, [](const Row& row) { return text_cell(row.set.reason); }},
}};

const TableColumn* column_of(std::string_view name) {
  const auto* found = std::ranges::find(kColumns, name, &TableColumn::name);
  return found == kColumns.end() ? nullptr : found;
}

std::vector<std::string> words_in(const std::string& list) {
  std::vector<std::string> out;
  std::string_view rest = list;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    if (comma != 0) out.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return out;
}

// The columns that are shown, by name.
std::vector<std::string> shown_in(const TableForm& form) {
  const std::string usual(kUsualColumns);
  if (form.columns.empty()) return words_in(usual);
  const bool added = form.columns.starts_with('+');
  return words_in(added ? usual + "," + form.columns.substr(1) : form.columns);
}

// The columns by which the rows are sorted.
std::vector<std::string> sorted_by(const TableForm& form) {
  std::vector<std::string> out;
  if (!form.ascending.empty()) out.push_back(form.ascending);
  if (!form.descending.empty()) out.push_back(form.descending);
  return out;
}

std::vector<std::string> named_in(const TableForm& form) {
  std::vector<std::string> out = shown_in(form);
  for (std::string& name : sorted_by(form)) out.push_back(std::move(name));
  return out;
}

const TableColumn& known_column(const std::string& name) {
  const TableColumn* column = column_of(name);
  DMREMAP_ASSERT(column != nullptr);
  return *column;
}

std::string text_of(const TableColumn& column, const TableRow& row, bool bytes) {
  const TableCell cell = column.cell(row);
  if (column.kind == ColumnKind::text) {
    return cell.text.empty() ? std::string(kUnknown) : printable(cell.text);
  }
  if (!cell.number) return std::string(kUnknown);
  switch (column.kind) {
    case ColumnKind::size:
      return bytes ? std::to_string(SectorCount{*cell.number}.bytes()) : size_text({*cell.number});
    case ColumnKind::percent:
      return fmt::format("{}%", *cell.number);
    default:
      return std::to_string(*cell.number);
  }
}

// True if the first goes before the second. What is not known goes last, whichever way it is
// sorted.
bool goes_before(const TableColumn& column, const TableRow& a, const TableRow& b, bool descending) {
  const TableCell first = column.cell(a);
  const TableCell second = column.cell(b);
  if (column.kind == ColumnKind::text) {
    if (first.text.empty() || second.text.empty()) return second.text.empty() > first.text.empty();
    return descending ? second.text < first.text : first.text < second.text;
  }
  if (!first.number || !second.number) return first.number.has_value() > second.number.has_value();
  return descending ? *second.number < *first.number : *first.number < *second.number;
}

void sort_rows(std::vector<TableRow>& rows, const std::string& by, bool descending) {
  if (by.empty()) return;
  const TableColumn& column = known_column(by);
  std::ranges::stable_sort(rows, [&](const TableRow& a, const TableRow& b) {
    return goes_before(column, a, b, descending);
  });
}

std::string heading_of(const TableColumn& column) {
  std::string out(column.name);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::toupper(c); });
  return out;
}

}  // namespace

std::vector<std::string> table_columns() {
  std::vector<std::string> out;
  out.reserve(kColumns.size());
  for (const TableColumn& column : kColumns) out.emplace_back(column.name);
  return out;
}

Result<void> check_form(const TableForm& form) {
  for (const std::string& name : named_in(form)) {
    if (column_of(name) != nullptr) continue;
    return fail(ErrorCode::usage, "no such column", name,
                fmt::format("give some of {}", fmt::join(table_columns(), ", ")));
  }
  return {};
}

bool needs_mounts(const TableForm& form) {
  const auto named = named_in(form);
  return std::ranges::find(named, "mounted") != named.end();
}

bool needs_reports(const TableForm& form) {
  return std::ranges::any_of(named_in(form),
                             [](const std::string& name) { return !known_column(name).in_hint; });
}

std::string print_table(std::vector<TableRow> rows, const TableForm& form) {
  sort_rows(rows, form.ascending, false);
  sort_rows(rows, form.descending, true);
  std::vector<std::string> lines(rows.size() + 1);
  const std::vector<std::string> shown = shown_in(form);
  for (const std::string& name : shown) {
    const TableColumn& column = known_column(name);
    std::vector<std::string> cells{form.headings ? heading_of(column) : std::string()};
    for (const TableRow& row : rows) cells.push_back(text_of(column, row, form.bytes));
    std::size_t width = 0;
    for (const std::string& cell : cells) width = std::max(width, cell.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!lines[i].empty() || &name != &shown.front()) lines[i] += "  ";
      lines[i] += column.kind == ColumnKind::text ? fmt::format("{:<{}}", cells[i], width)
                                                  : fmt::format("{:>{}}", cells[i], width);
    }
  }
  std::string out;
  for (std::size_t i = form.headings ? 0 : 1; i < lines.size(); ++i) {
    lines[i].erase(lines[i].find_last_not_of(' ') + 1);
    out += lines[i] + "\n";
  }
  return out;
}

}  // namespace dmremap::cli
