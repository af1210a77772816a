// SPDX-License-Identifier: GPL-2.0-or-later
#include "lists/md_bad_blocks.hpp"

#include <fmt/format.h>

#include "base/parse.hpp"
#include "lists/text_lines.hpp"

namespace dmremap::lists {

namespace {

tl::unexpected<Error> bad_line(const std::string& name, const TextLine& line, std::string what) {
  return fail(ErrorCode::usage, std::move(what), fmt::format("{}:{}", name, line.number),
              "the bad_blocks file of an md member has lines `SECTOR LENGTH`");
}

}  // namespace

Result<std::vector<SectorRange>> parse_md_bad_blocks(std::string_view text,
                                                     const std::string& name) {
  std::vector<SectorRange> out;
  TextLines lines(text);
  while (const auto line = lines.next()) {
    if (line->words.size() != 2) return bad_line(name, *line, "not a sector and a length");
    const auto first = parse_number(line->words[0]);
    const auto count = parse_number(line->words[1]);
    if (!first || !count || *count == 0) return bad_line(name, *line, "not a sector and a length");
    if (*first >= kAddressLimitSectors || *count > kAddressLimitSectors - *first) {
      return bad_line(name, *line, "the range ends beyond 2^40 sectors");
    }
    out.push_back({{*first}, {*count}});
  }
  return out;
}

}  // namespace dmremap::lists
