// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/parse.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace dmremap {

namespace {

constexpr std::string_view kSectorForm =
    "give a number of sectors of 512 bytes, such as 2048 or 0x800, or bytes with a unit, such as "
    "1MiB";
constexpr std::string_view kRangeForm =
    "give SECTOR, SECTOR+COUNT or FIRST-LAST in sectors of 512 bytes, or bytes with a unit, such "
    "as 1GiB+4KiB";

std::optional<std::uint64_t> digits(std::string_view text, int base) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

struct Suffix {
  std::string_view text;
  unsigned bits;
};

// Longer ones go first: KiB ends with B.
constexpr std::array<Suffix, 13> kSuffixes{{{"KiB", 10},
                                            {"MiB", 20},
                                            {"GiB", 30},
                                            {"TiB", 40},
                                            {"K", 10},
                                            {"M", 20},
                                            {"G", 30},
                                            {"T", 40},
                                            {"k", 10},
                                            {"m", 20},
                                            {"g", 30},
                                            {"t", 40},
                                            {"B", 0}}};

// Bytes with a unit. Empty if there is no unit, no number before it, or too many bytes.
std::optional<std::uint64_t> with_unit(std::string_view text) {
  for (const Suffix& suffix : kSuffixes) {
    if (!text.ends_with(suffix.text)) continue;
    const auto value = digits(text.substr(0, text.size() - suffix.text.size()), 10);
    const bool fits = value && *value <= (std::numeric_limits<std::uint64_t>::max() >> suffix.bits);
    return fits ? std::optional(*value << suffix.bits) : std::nullopt;
  }
  return std::nullopt;
}

// An address or an amount on a disk.
struct Extent {
  std::uint64_t sectors = 0;
  bool in_bytes = false;  // given with a unit
};

std::optional<Extent> extent(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) {
    const auto value = digits(text.substr(2), 16);
    return value ? std::optional(Extent{*value}) : std::nullopt;
  }
  if (const auto value = digits(text, 10)) return Extent{*value};
  const auto bytes = with_unit(text);
  if (!bytes || *bytes % kSectorBytes != 0) return std::nullopt;
  return Extent{*bytes / kSectorBytes, true};
}

}  // namespace

Result<std::uint64_t> parse_number(std::string_view text) {
  const auto value = digits(text, 10);
  if (value) return *value;
  return fail(ErrorCode::usage, "not a whole number", std::string(text),
              "give a decimal number without sign or blanks");
}

Result<Sector> parse_sector(std::string_view text) {
  const auto place = extent(text);
  if (place) return Sector{place->sectors};
  return fail(ErrorCode::usage, "not a sector", std::string(text), std::string(kSectorForm));
}

Result<SectorRange> parse_range(std::string_view text) {
  const auto wrong = [&](const char* what) {
    return fail(ErrorCode::usage, what, std::string(text), std::string(kRangeForm));
  };
  const std::size_t sign = text.find_first_of("+-");
  const auto first = extent(text.substr(0, sign));
  const auto second = sign == std::string_view::npos ? Extent{1} : extent(text.substr(sign + 1));
  if (!first || !second) return wrong("not a range");
  std::uint64_t count = second->sectors;
  if (sign != std::string_view::npos && text[sign] == '-') {
    if (second->sectors < first->sectors) return wrong("the range ends before it begins");
    count = second->sectors - first->sectors + (second->in_bytes ? 0 : 1);
  }
  if (count == 0) return wrong("the range is empty");
  if (first->sectors >= kAddressLimitSectors || count > kAddressLimitSectors - first->sectors) {
    return wrong("the range ends beyond 2^40 sectors");
  }
  return SectorRange{{first->sectors}, {count}};
}

Result<std::uint64_t> parse_size(std::string_view text) {
  if (const auto bytes = digits(text, 10)) return *bytes;
  if (const auto bytes = with_unit(text)) return *bytes;
  return fail(ErrorCode::usage, "not a size", std::string(text),
              "give bytes, or a whole number with K, M, G or T (KiB, MiB, GiB, TiB), such as 64M");
}

}  // namespace dmremap
