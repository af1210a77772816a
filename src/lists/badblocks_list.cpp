// SPDX-License-Identifier: GPL-2.0-or-later
#include "lists/badblocks_list.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/parse.hpp"
#include "base/sector_parts.hpp"
#include "lists/text_lines.hpp"

namespace dmremap::lists {

namespace {

constexpr std::uint64_t kLargestBlock = 64 * kMiB;

tl::unexpected<Error> bad_line(const std::string& name, const TextLine& line, std::string what,
                               std::string hint) {
  return fail(ErrorCode::usage, std::move(what), fmt::format("{}:{}", name, line.number),
              std::move(hint));
}

}  // namespace

Result<void> check_badblocks_size(std::uint64_t block_bytes) {
  if (block_bytes > 0 && block_bytes <= kLargestBlock && block_bytes % kSectorBytes == 0) return {};
  return fail(ErrorCode::usage, "not a size of blocks", fmt::format("{}", block_bytes),
              "give the -b of badblocks: bytes, a multiple of 512, at most 64MiB");
}

Result<std::vector<SectorRange>> parse_badblocks(std::string_view text, const std::string& name,
                                                 std::uint64_t block_bytes) {
  const std::uint64_t sectors = block_bytes / kSectorBytes;
  std::vector<SectorRange> out;
  TextLines lines(text);
  while (const auto line = lines.next()) {
    const auto block = parse_number(line->words.front());
    if (line->words.size() != 1 || !block) {
      return bad_line(name, *line, "not a block number", "a badblocks list has one number a line");
    }
    if (*block >= kAddressLimitSectors / sectors) {
      return bad_line(name, *line, "the block ends beyond 2^40 sectors",
                      "was the list made with another block size (badblocks -b)?");
    }
    append_run(out, {{*block * sectors}, {sectors}});
  }
  return out;
}

std::string print_badblocks(std::span<const SectorRange> ranges, std::uint64_t block_bytes) {
  const std::uint64_t sectors = block_bytes / kSectorBytes;
  std::string out;
  std::uint64_t next = 0;
  for (const SectorRange& range : ranges) {
    if (range.empty()) continue;
    const std::uint64_t last = (range.end().value - 1) / sectors;
    for (next = std::max(next, range.first.value / sectors); next <= last; ++next) {
      out += fmt::format("{}\n", next);
    }
  }
  return out;
}

}  // namespace dmremap::lists
