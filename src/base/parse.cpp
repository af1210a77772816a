// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/parse.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <string>
#include <utility>

namespace dmremap {

Result<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 10);
  if (error != std::errc{} || stop != end) {
    return fail(ErrorCode::usage, "not a whole number", std::string(text),
                "give a decimal number without sign or blanks");
  }
  return value;
}

Result<SectorRange> parse_range(std::string_view text) {
  constexpr std::string_view kForm = "give SECTOR or SECTOR+COUNT, in sectors of 512 bytes";
  const std::size_t plus = text.find('+');
  const auto first = parse_number(text.substr(0, plus));
  const auto count = plus == std::string_view::npos ? Result<std::uint64_t>(1)
                                                    : parse_number(text.substr(plus + 1));
  if (!first || !count) {
    return fail(ErrorCode::usage, "not a range", std::string(text), std::string(kForm));
  }
  if (*count == 0) {
    return fail(ErrorCode::usage, "the range is empty", std::string(text), std::string(kForm));
  }
  if (*first >= kAddressLimitSectors || *count > kAddressLimitSectors - *first) {
    return fail(ErrorCode::usage, "the range ends beyond 2^40 sectors", std::string(text),
                std::string(kForm));
  }
  return SectorRange{{*first}, {*count}};
}

Result<std::uint64_t> parse_size(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, unsigned>, 4> kSuffixes{
      {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}};
  unsigned shift = 0;
  std::string_view digits = text;
  for (const auto& [suffix, bits] : kSuffixes) {
    if (text.ends_with(suffix)) {
      shift = bits;
      digits.remove_suffix(suffix.size());
    }
  }
  const auto value = parse_number(digits);
  if (!value || *value > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
    return fail(ErrorCode::usage, "not a size", std::string(text),
                "give bytes, or a whole number with KiB, MiB, GiB or TiB, such as 64MiB");
  }
  return *value << shift;
}

}  // namespace dmremap
