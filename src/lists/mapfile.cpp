// SPDX-License-Identifier: GPL-2.0-or-later
#include "lists/mapfile.hpp"

#include <charconv>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "base/parse.hpp"
#include "lists/text_lines.hpp"

namespace dmremap::lists {

namespace {

using Status = MapfileArea::Status;

constexpr std::uint64_t kLimitBytes = kAddressLimitSectors * kSectorBytes;
constexpr std::string_view kAreaHint = "a ddrescue mapfile has lines `POS SIZE STATUS`, in bytes";

tl::unexpected<Error> bad_line(const std::string& name, const TextLine& line, std::string what,
                               std::string_view hint = kAreaHint) {
  return fail(ErrorCode::usage, std::move(what), fmt::format("{}:{}", name, line.number),
              std::string(hint));
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.starts_with('0')) {
    base = 8;
  }
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

bool is_one_of(std::string_view word, std::string_view characters) {
  return word.size() == 1 && characters.find(word[0]) != std::string_view::npos;
}

bool is_status_line(const TextLine& line) {
  const std::size_t words = line.words.size();
  if (words < 2 || words > 3 || !number_in(line.words[0])) return false;
  return is_one_of(line.words[1], "?*/-FG+") && (words == 2 || number_in(line.words[2]));
}

bool has_failed(Status status) {
  return status != Status::untried && status != Status::finished;
}

// Appends an area, and joins it with the one before if both have the same status.
void append(std::vector<MapfileArea>& areas, const MapfileArea& area) {
  if (area.bytes == 0) return;
  if (!areas.empty() && areas.back().status == area.status) {
    areas.back().bytes += area.bytes;
  } else {
    areas.push_back(area);
  }
}

}  // namespace

SectorRange MapfileArea::sectors() const {
  const std::uint64_t first = first_byte / kSectorBytes;
  if (bytes == 0) return {{first}, {0}};
  const std::uint64_t last = (first_byte + bytes - 1) / kSectorBytes;
  return {{first}, {last - first + 1}};
}

Result<std::vector<MapfileArea>> parse_mapfile(std::string_view text, const std::string& name) {
  TextLines lines(text);
  const auto head = lines.next();
  if (!head) {
    return fail(ErrorCode::usage, "not a ddrescue mapfile: it is empty", name,
                "give the mapfile of a rescue");
  }
  if (!is_status_line(*head)) {
    return bad_line(name, *head, "not the status line of a mapfile",
                    "it reads `CURRENT_POS CURRENT_STATUS CURRENT_PASS`");
  }
  std::vector<MapfileArea> out;
  std::optional<std::uint64_t> expected;
  while (const auto line = lines.next()) {
    if (line->words.size() != 3 || !is_one_of(line->words[2], "?*/-+")) {
      return bad_line(name, *line, "not a mapfile line");
    }
    const auto at = number_in(line->words[0]);
    const auto bytes = number_in(line->words[1]);
    if (!at || !bytes) return bad_line(name, *line, "not a number");
    if (expected && *at != *expected) {
      return bad_line(name, *line, "the areas of the mapfile do not adjoin");
    }
    const auto status = static_cast<Status>(line->words[2][0]);
    if (*bytes > std::numeric_limits<std::uint64_t>::max() - *at ||
        (has_failed(status) && *at + *bytes > kLimitBytes)) {
      return bad_line(name, *line, "the area ends beyond 2^40 sectors");
    }
    expected = *at + *bytes;
    append(out, {*at, *bytes, status});
  }
  return out;
}

std::string print_mapfile(std::span<const MapfileArea> areas, std::string_view program) {
  std::vector<MapfileArea> joined;
  bool untried = false;
  for (const MapfileArea& area : areas) {
    append(joined, area);
    untried = untried || (area.status == Status::untried && area.bytes > 0);
  }
  std::string out = fmt::format(
      "# Mapfile. Created by {}\n"
      "# current_pos  current_status  current_pass\n"
      "0x00000000     {}               1\n"
      "#      pos        size  status\n",
      program, untried ? '?' : '+');
  for (const MapfileArea& area : joined) {
    out += fmt::format("0x{:08X}  0x{:08X}  {}\n", area.first_byte, area.bytes,
                       static_cast<char>(area.status));
  }
  return out;
}

}  // namespace dmremap::lists
