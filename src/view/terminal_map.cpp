// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/terminal_map.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/markup.hpp"
#include "view/state_style.hpp"

namespace dmremap::view {

namespace {

using format::State;

constexpr std::size_t kLeastColumns = 20;
constexpr std::size_t kLeastRows = 6;
// The blank line and the explanation below the map, a line for each state, and a blank one.
constexpr std::size_t kLegendLines = 2 + kStatesOfMain.size();
constexpr const char* kBorder = "|";

std::string painted(const char* escape, const std::string& text, bool color) {
  return color ? fmt::format("\x1b[{}m{}\x1b[0m", escape, text) : text;
}

std::size_t characters_of(const std::string& utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(
      utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

// A character of the map, and the escape that paints it.
struct Glyph {
  const char* character;
  std::string escape;
};

Glyph glyph_of(const Cells& cells, std::size_t cell, bool ascii) {
  const State state = cells.worst(cell);
  const StateStyle& style = kStateStyles[severity_of(state)];
  const CellCharacters& characters = ascii ? style.ascii : style.characters;
  if (cells.share_of_worst(cell) < 0.5) return {characters.few, style.escape};
  const bool reverse = state == State::lost || state == State::gone;
  return {characters.most, std::string(style.escape) + (reverse ? ";7" : "")};
}

// The glyphs of all cells. A partition shows where it begins unless something is wrong there.
std::vector<Glyph> glyphs_of(const MapFacts& facts, const Cells& cells, bool ascii) {
  std::vector<Glyph> out;
  out.reserve(cells.size());
  for (std::size_t i = 0; i < cells.size(); ++i) out.push_back(glyph_of(cells, i, ascii));
  for (const Partition& partition : facts.disk.partitions) {
    if (!cells.range.contains(partition.range.first)) continue;
    const std::size_t cell = cells.cell_of(partition.range.first);
    if (cells.worst(cell) == State::good) out[cell] = {kBorder, "1"};
  }
  return out;
}

// Escapes are written once for a run of one kind; else a line would consist mostly of them.
std::string line_of(std::span<const Glyph> glyphs, bool color) {
  std::string out;
  for (std::size_t at = 0; at < glyphs.size();) {
    std::string run;
    const std::string& escape = glyphs[at].escape;
    for (; at < glyphs.size() && glyphs[at].escape == escape; ++at) run += glyphs[at].character;
    out += painted(escape.c_str(), run, color);
  }
  return out;
}

// A line above the map.
struct HeaderLine {
  std::string text;
  bool alarm = false;
};

std::vector<HeaderLine> header(const MapFacts& facts, bool ascii) {
  std::vector<HeaderLine> out;
  const auto add = [&](const std::string& text, bool alarm = false) {
    if (!text.empty()) out.push_back({plain(text, ascii), alarm});
  };
  add(fmt::format("{}: {}, {}", facts.name, facts.state, size_text(facts.size)));
  add(loss_line(facts), facts.has_loss());
  add(failing_line(facts), true);
  add(disk_line(facts));
  for (const SpareFill& spare : facts.spares) add(spare_line(spare));
  add(facts.verdict);
  if (!facts.is_whole()) add("shown: " + region_line(facts));
  return out;
}

std::string print_header(const MapFacts& facts, const TerminalForm& form) {
  std::string out;
  for (const HeaderLine& line : header(facts, form.ascii)) {
    out += painted(kAlarmEscape, line.text, line.alarm && form.color) + "\n";
  }
  return out;
}

// How the map is divided.
struct Grid {
  std::size_t address = 0;  // the width of a sector
  bool with_size = false;   // a narrow window does without
  std::size_t width = 0;    // cells in a line
  Cells cells;

  [[nodiscard]] std::size_t rows() const { return (cells.size() + width - 1) / width; }
};

Grid grid_of(const MapFacts& facts, const TerminalForm& form) {
  // How wide sizes are depends on how much a line shows; "524288 GiB" is the widest.
  constexpr std::size_t kSizeWidth = 10;
  const std::size_t columns = std::max<std::size_t>(form.columns, kLeastColumns);
  Grid out;
  out.address = std::to_string(facts.shown.end().value).size();
  out.with_size = columns >= 60;
  const std::size_t taken = out.address + 2 + (out.with_size ? kSizeWidth + 2 : 0);
  // A round number of cells in each line makes round addresses.
  const std::size_t room = columns > taken ? columns - taken : 1;
  out.width = room >= 8 ? room / 8 * 8 : room;
  out.cells = make_cells(facts.extents, facts.shown, out.width * std::max(form.rows, 1U));
  return out;
}

std::string print_cells(const MapFacts& facts, const Grid& grid, const TerminalForm& form) {
  const auto glyphs = glyphs_of(facts, grid.cells, form.ascii);
  std::vector<std::string> positions(grid.rows());
  std::size_t widest = 0;
  for (std::size_t row = 0; grid.with_size && row < positions.size(); ++row) {
    const SectorCount step{grid.width * grid.cells.per_cell.value};
    positions[row] = position_text(grid.cells.range_of(row * grid.width).first, step) + "  ";
    widest = std::max(widest, positions[row].size());
  }
  std::string out;
  for (std::size_t row = 0; row < positions.size(); ++row) {
    const std::size_t at = row * grid.width;
    const auto line = std::span(glyphs).subspan(at, std::min(grid.width, glyphs.size() - at));
    out += fmt::format("{:>{}}  {:>{}}{}\n", grid.cells.range_of(at).first.value, grid.address,
                       positions[row], widest, line_of(line, form.color));
  }
  return out;
}

std::string print_legend(const MapFacts& facts, const Cells& cells, std::size_t address,
                         const TerminalForm& form) {
  std::string out =
      fmt::format("\none character is {}, its worst state; the second sign: from half of it on\n",
                  size_text(cells.per_cell));
  const StateCounts counts = count_states(facts.extents, facts.shown);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const StateStyle& style = kStateStyles[i];
    const auto& [few, most] = form.ascii ? style.ascii : style.characters;
    const std::string second = std::string(few) == most ? " " : most;
    out += fmt::format("  {} {:<9} {:>{}} sectors  {}\n",
                       painted(style.escape, fmt::format("{} {}", few, second), form.color),
                       name_of(kStatesOfMain[i]), counts[i], address, size_text({counts[i]}));
  }
  return out;
}

// The ranges and the partitions, each list cut to what is asked for.
std::string print_lists(const MapFacts& facts, const TerminalForm& form) {
  const auto list = [&](const std::vector<std::string>& lines) {
    std::string out;
    for (std::size_t i = 0; i < std::min<std::size_t>(lines.size(), form.listed); ++i) {
      out += "  " + plain(lines[i], form.ascii) + "\n";
    }
    if (lines.size() > form.listed && form.listed > 0) {
      out += fmt::format("  and {} more\n", lines.size() - form.listed);
    }
    return out.empty() ? out : "\n" + out;
  };
  std::vector<std::string> bad;
  for (const BadRange& range : bad_ranges(facts.extents, facts.shown)) {
    bad.push_back(bad_range_line(range));
  }
  std::vector<std::string> partitions;
  for (const Partition& partition : facts.disk.partitions) {
    partitions.push_back(fmt::format("{} {}", kBorder, partition_line(partition)));
  }
  return list(bad) + list(partitions);
}

}  // namespace

TerminalForm fitted(const MapFacts& facts, unsigned lines, TerminalForm form) {
  const std::size_t columns = std::max<std::size_t>(form.columns, kLeastColumns);
  std::size_t others = kLegendLines + 1;  // and the blank line above the map
  for (const HeaderLine& line : header(facts, form.ascii)) {
    others += (characters_of(line.text) + columns - 1) / columns;
  }
  const std::size_t left = std::max<std::size_t>(lines, others + kLeastRows) - others;
  // A list has a blank line above it and one for what it leaves out.
  constexpr std::size_t kListLines = 2;
  const std::size_t lists = (bad_ranges(facts.extents, facts.shown).empty() ? 0U : 1U) +
                            (facts.disk.partitions.empty() ? 0U : 1U);
  const std::size_t share = lists == 0 ? 0 : left / 3 / lists;
  form.rows = static_cast<unsigned>(left - lists * (share > kListLines ? share : 0));
  // Cells are of a round size, so the map may be lower: the lists have what it leaves.
  const std::size_t rest = lists == 0 ? 0 : (left - grid_of(facts, form).rows()) / lists;
  form.listed = static_cast<unsigned>(rest > kListLines ? rest - kListLines : 0);
  return form;
}

std::string print_terminal_map(const MapFacts& facts, const TerminalForm& form) {
  const Grid grid = grid_of(facts, form);
  return print_header(facts, form) + "\n" + print_cells(facts, grid, form) +
         print_legend(facts, grid.cells, grid.address, form) + print_lists(facts, form);
}

}  // namespace dmremap::view
