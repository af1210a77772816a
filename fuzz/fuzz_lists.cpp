// SPDX-License-Identifier: GPL-2.0-or-later
// Lists of bad sectors, which come from anywhere: any bytes are a list or an error that names the
// line, and what is read prints to a list that reads the same.
//
// Input: which format, then the text.
#include <algorithm>
#include <string>
#include <vector>

#include "base/parse.hpp"
#include "lists/badblocks_list.hpp"
#include "lists/kernel_log.hpp"
#include "lists/mapfile.hpp"
#include "lists/md_bad_blocks.hpp"
#include "recipe.hpp"

using namespace dmremap;
using fuzz::require;

namespace {

void require_good(const Error& error) {
  require(error.code == ErrorCode::usage && error.where.starts_with("list") &&
              !error.what.empty() && !error.hint.empty(),
          "an error says what, where and what to do");
}

void mapfile(const std::string& text) {
  const auto areas = lists::parse_mapfile(text, "list");
  if (!areas) return require_good(areas.error());
  for (const lists::MapfileArea& area : *areas) {
    const bool bad = area.status != lists::MapfileArea::Status::untried &&
                     area.status != lists::MapfileArea::Status::finished;
    require(!bad || area.sectors().end().value <= kAddressLimitSectors, "what failed is on a disk");
  }
  const auto again = lists::parse_mapfile(lists::print_mapfile(*areas, "fuzz"), "list");
  require(again && *again == *areas, "a mapfile that reads prints to one that reads the same");
}

void badblocks(const std::string& text, std::uint64_t block_bytes) {
  auto ranges = lists::parse_badblocks(text, "list", block_bytes);
  if (!ranges) return require_good(ranges.error());
  std::ranges::sort(*ranges);
  const std::string printed = lists::print_badblocks(*ranges, block_bytes);
  const auto again = lists::parse_badblocks(printed, "list", block_bytes);
  require(again && lists::print_badblocks(*again, block_bytes) == printed,
          "a list prints to itself");
}

void require_on_a_disk(const std::vector<SectorRange>& ranges) {
  for (const SectorRange& range : ranges) {
    require(!range.empty() && range.count.value <= kAddressLimitSectors &&
                range.end().value <= kAddressLimitSectors,
            "a range is on a disk");
  }
}

void md_bad_blocks(const std::string& text) {
  const auto ranges = lists::parse_md_bad_blocks(text, "list");
  if (!ranges) return require_good(ranges.error());
  require_on_a_disk(*ranges);
}

void kernel_log(const std::string& text) {
  const auto errors = lists::parse_kernel_log(text, "list", "sdb");
  if (!errors) return require_good(errors.error());
  require(lists::is_kernel_log(text), "a log with errors of a disk is one");
  require(!errors->lost.empty() || !errors->suspect.empty(), "an empty list is an error");
  require_on_a_disk(errors->lost);
  require_on_a_disk(errors->suspect);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Recipe recipe(data, size);
  const unsigned which = recipe.u8() % 6;
  const auto rest = recipe.rest();
  std::string text(rest.size(), '\0');
  std::ranges::transform(rest, text.begin(), [](std::byte b) { return std::to_integer<char>(b); });
  switch (which) {
    case 0:
      badblocks(text, 512U << text.size() % 8);
      break;
    case 4:
      md_bad_blocks(text);
      break;
    case 5:
      kernel_log(text);
      break;
    default:
      mapfile(text);
  }
  return 0;
}
