// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include <fmt/format.h>

#include "base/size_text.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"
#include "view/disk_caption.hpp"
#include "view/page_picture.hpp"
#include "view/state_style.hpp"

namespace dmremap::report {

namespace {

using format::State;

// The bad ranges that are named; a page with all of ten thousand would be no page to read.
constexpr std::size_t kNamedRanges = 20;
constexpr std::uint64_t kNarrowColumns = view::kPictureColumns / 2;

std::string legend_html(const view::StateCounts& counts) {
  Table table("Sectors by state", {{"State"}, {"Sectors", true}, {"Size", true}, {"Meaning"}},
              "legend");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const State state = view::kStatesOfMain[i];
    table.add_row({view::print_page_swatch(state) + std::string(name_of(state)),
                   std::to_string(counts[i]), size_text({counts[i]}),
                   view::kStateStyles[i].meaning});
  }
  return table.html();
}

std::string worst_html(const control::DiskMap& map) {
  Table table("The first ranges that cannot be read",
              {{"From sector"}, {"Sectors", true}, {"State"}, {"Size", true}, {"At", true}});
  const auto bad = view::bad_ranges(map.extents, {{0}, map.size});
  for (std::size_t i = 0; i < std::min(bad.size(), kNamedRanges); ++i) {
    const auto& [state, range] = bad[i];
    table.add_row({std::to_string(range.first.value), std::to_string(range.count.value),
                   view::print_page_swatch(state) + std::string(name_of(state)),
                   size_text(range.count), size_text({range.first.value})});
  }
  if (bad.empty()) return {};
  std::string out = table.html();
  if (bad.size() > kNamedRanges) {
    out += fmt::format("<p>And {} more: <code>dmremap map --json</code> lists all.</p>\n",
                       bad.size() - kNamedRanges);
  }
  return out;
}

}  // namespace

std::string map_html(const ReportFacts& facts) {
  if (facts.map.size.value == 0) return {};
  const view::Cells cells = view::make_picture_cells(facts.map.extents, facts.map.size);
  const view::StateCounts counts = view::count_states(facts.map.extents, {{0}, facts.map.size});
  std::string out = fmt::format(
      "<p>One square is {} ({}). How much of it is coloured is the share of its sectors that are "
      "in "
      "that state; a few are a sign, and the worst lie innermost. At the left stand sectors, with "
      "sizes below them. The disk begins at the top left.</p>\n",
      size_text(cells.per_cell), counted(cells.per_cell.value, "sector"));
  out += "<div class=\"map\">\n" + view::print_page_picture(cells, view::kPictureColumns, "wide") +
         "\n" + view::print_page_picture(cells, kNarrowColumns, "narrow") + "\n</div>\n";
  out += "<div class=\"pair\">" + legend_html(counts) + worst_html(facts.map) + "</div>\n";
  return section("map", "The disk", out);
}

}  // namespace dmremap::report
