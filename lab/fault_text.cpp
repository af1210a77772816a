// SPDX-License-Identifier: GPL-2.0-or-later
#include "fault_text.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/parse.hpp"

namespace dmremap::lab {

namespace {

constexpr std::uint64_t kSlowLimitMs = 3'600'000;  // an hour
constexpr int kErrnoLimit = 134;                   // one past EHWPOISON, the last that Linux has

std::optional<int> errno_by_name(std::string_view name) {
  for (int number = 1; number < kErrnoLimit; ++number) {
    const char* const known = ::strerrorname_np(number);
    if (known != nullptr && name == known) return number;
  }
  return std::nullopt;
}

std::string with_errno(std::string_view kind, int number) {
  if (number == EIO) return std::string(kind);
  const char* const name = ::strerrorname_np(number);
  return fmt::format("{}:{}", kind, name != nullptr ? name : "EIO");
}

tl::unexpected<Error> bad_kind(std::string_view text, std::string what) {
  return fail(ErrorCode::usage, std::move(what), std::string(text),
              "kinds are read[:ERRNO] write[:ERRNO] until-written slow:MS flaky:P, joined by +");
}

Result<int> parse_errno(std::string_view kind, std::optional<std::string_view> argument) {
  if (!argument) return EIO;
  const auto number = errno_by_name(*argument);
  if (!number) return bad_kind(kind, "no such errno; name it as EIO or ENODATA");
  return *number;
}

Result<std::uint32_t> parse_slow(std::string_view kind, std::optional<std::string_view> argument) {
  const auto ms = parse_number(argument.value_or(""));
  if (!ms || *ms == 0 || *ms > kSlowLimitMs) {
    return bad_kind(kind, "slow needs milliseconds, 1 to 3600000");
  }
  return static_cast<std::uint32_t>(*ms);
}

Result<double> parse_chance(std::string_view kind, std::optional<std::string_view> argument) {
  const std::string_view text = argument.value_or("");
  double chance = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, chance, std::chars_format::fixed);
  if (error != std::errc{} || stop != end || !(chance >= 0 && chance <= 1)) {
    return bad_kind(kind, "flaky needs a chance, 0 to 1");
  }
  return chance;
}

// Sets one field of a fault from a parsed value; naming a kind twice is an error.
template <typename Field, typename Value>
Result<void> set_once(Field& field, const Result<Value>& value, std::string_view kind) {
  if (!value) return tl::unexpected(value.error());
  if (field != Field{}) return bad_kind(kind, "the kind is named twice");
  field = *value;
  return {};
}

Result<void> add_kind(Fault& fault, std::string_view kind) {
  const std::size_t colon = kind.find(':');
  const std::string_view name = kind.substr(0, colon);
  std::optional<std::string_view> argument;
  if (colon != std::string_view::npos) argument = kind.substr(colon + 1);

  if (name == "read") return set_once(fault.read_errno, parse_errno(kind, argument), kind);
  if (name == "write") return set_once(fault.write_errno, parse_errno(kind, argument), kind);
  if (name == "slow") return set_once(fault.slow_ms, parse_slow(kind, argument), kind);
  if (name == "flaky") return set_once(fault.flaky, parse_chance(kind, argument), kind);
  if (name == "until-written" && !argument) {
    return set_once(fault.until_written, Result<bool>(true), kind);
  }
  return bad_kind(kind, "no such kind of fault");
}

// --- files -----------------------------------------------------------------------------------

struct Line {
  std::size_t number = 0;
  std::vector<std::string_view> words;
};

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t begin = text.find_first_not_of(separators);
    if (begin == std::string_view::npos) return out;
    text.remove_prefix(begin);
    const std::size_t length = std::min(text.find_first_of(separators), text.size());
    out.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
}

std::vector<Line> significant_lines(std::string_view text) {
  std::vector<Line> out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    auto words = split(line.substr(0, line.find('#')), " \t\r");
    if (!words.empty()) out.push_back({number, std::move(words)});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

tl::unexpected<Error> bad_line(const std::string& name, const Line& line, std::string what,
                               std::string hint) {
  return fail(ErrorCode::usage, std::move(what), fmt::format("{}:{}", name, line.number),
              std::move(hint));
}

// Mapfile integers: decimal or 0x.
std::optional<std::uint64_t> mapfile_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
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

// A sector that is bad only in part is bad.
SectorRange covering_sectors(std::uint64_t byte, std::uint64_t bytes) {
  const std::uint64_t first = byte / kSectorBytes;
  const std::uint64_t end = align_up(byte + bytes, kSectorBytes) / kSectorBytes;
  return {{first}, {end - first}};
}

Result<std::vector<FaultRun>> parse_mapfile(const std::vector<Line>& lines,
                                            const std::string& name) {
  constexpr const char* kHint = "a ddrescue mapfile has lines `POS SIZE STATUS`, in bytes";
  const Line& head = lines.front();
  if (head.words.size() < 2 || head.words.size() > 3 || !mapfile_number(head.words[0]) ||
      !is_one_of(head.words[1], "?*/-FG+") ||
      (head.words.size() == 3 && !mapfile_number(head.words[2]))) {
    return bad_line(name, head, "not the status line of a mapfile",
                    "it reads `CURRENT_POS CURRENT_STATUS CURRENT_PASS`");
  }
  std::vector<FaultRun> out;
  std::optional<std::uint64_t> expected;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const Line& line = lines[i];
    if (line.words.size() != 3 || !is_one_of(line.words[2], "?*/-+")) {
      return bad_line(name, line, "not a mapfile line", kHint);
    }
    const auto at = mapfile_number(line.words[0]);
    const auto bytes = mapfile_number(line.words[1]);
    if (!at || !bytes) return bad_line(name, line, "not a number", kHint);
    const std::uint64_t limit = kAddressLimitSectors * kSectorBytes;
    const bool bad = line.words[2] == "-";
    if (expected && *at != *expected) {
      return bad_line(name, line, "the areas of the mapfile do not adjoin", kHint);
    }
    // ddrescue ends an open-ended mapfile at 2^63-1; only what is bad must lie on a disk.
    if (*bytes > std::numeric_limits<std::uint64_t>::max() - *at || (bad && *at + *bytes > limit)) {
      return bad_line(name, line, "the area ends beyond 2^40 sectors", kHint);
    }
    expected = *at + *bytes;
    if (bad && *bytes > 0) out.push_back({covering_sectors(*at, *bytes), Fault{.read_errno = EIO}});
  }
  return out;
}

Result<std::vector<FaultRun>> parse_list(const std::vector<Line>& lines, const std::string& name) {
  std::vector<FaultRun> out;
  for (const Line& line : lines) {
    if (line.words.size() != 2) {
      return bad_line(name, line, "not a fault", "a list has lines `KIND[+KIND...] RANGE`");
    }
    const auto fault = parse_kinds(line.words[0]);
    if (!fault) return bad_line(name, line, fault.error().what, fault.error().hint);
    const auto range = parse_range(line.words[1]);
    if (!range) return bad_line(name, line, range.error().what, range.error().hint);
    out.push_back({*range, *fault});
  }
  return out;
}

}  // namespace

Result<Fault> parse_kinds(std::string_view text) {
  Fault fault;
  std::string_view rest = text;
  while (true) {
    const std::size_t plus = rest.find('+');
    const auto added = add_kind(fault, rest.substr(0, plus));
    if (!added) return tl::unexpected(added.error());
    if (plus == std::string_view::npos) return fault;
    rest.remove_prefix(plus + 1);
  }
}

std::vector<std::string> kinds_of(const Fault& fault) {
  std::vector<std::string> out;
  if (fault.read_errno != 0) out.push_back(with_errno("read", fault.read_errno));
  if (fault.write_errno != 0) out.push_back(with_errno("write", fault.write_errno));
  if (fault.until_written) out.emplace_back("until-written");
  if (fault.slow_ms != 0) out.push_back(fmt::format("slow:{}", fault.slow_ms));
  if (fault.flaky) out.push_back(fmt::format("flaky:{}", *fault.flaky));
  return out;
}

std::string print_kinds(const Fault& fault) {
  return fmt::format("{}", fmt::join(kinds_of(fault), "+"));
}

std::string print_range(SectorRange range) {
  if (range.count.value == 1) return fmt::format("{}", range.first.value);
  return fmt::format("{}+{}", range.first.value, range.count.value);
}

Result<std::vector<FaultRun>> parse_fault_file(std::string_view text, const std::string& name) {
  const auto lines = significant_lines(text);
  if (lines.empty()) return std::vector<FaultRun>{};
  const char first = lines.front().words.front().front();
  return first >= '0' && first <= '9' ? parse_mapfile(lines, name) : parse_list(lines, name);
}

std::string print_list(const std::vector<FaultRun>& runs) {
  std::string out =
      "# Faults of a dmremap-lab disk: KIND[+KIND...] RANGE, in sectors of 512 bytes\n";
  for (const FaultRun& run : runs) {
    out += fmt::format("{} {}\n", print_kinds(run.fault), print_range(run.range));
  }
  return out;
}

std::string print_mapfile(const std::vector<FaultRun>& runs, SectorCount size) {
  std::string out =
      "# Mapfile. Created by dmremap-lab\n"
      "# current_pos  current_status  current_pass\n"
      "0x00000000     +               1\n"
      "#      pos        size  status\n";
  std::uint64_t at = 0;
  std::uint64_t bad_from = 0;
  const auto put = [&out](std::uint64_t from, std::uint64_t to, char status) {
    if (to > from) {
      out += fmt::format("0x{:08X}  0x{:08X}  {}\n", from * kSectorBytes,
                         (to - from) * kSectorBytes, status);
    }
  };
  // [bad_from, at) is the bad area being gathered: runs that differ only in what a mapfile cannot
  // say are one area, as ddrescue requires neighbours to differ.
  for (const FaultRun& run : runs) {
    if (run.fault.read_errno == 0) continue;
    if (run.range.first.value != at) {
      put(bad_from, at, '-');
      put(at, run.range.first.value, '+');
      bad_from = run.range.first.value;
    }
    at = run.range.end().value;
  }
  put(bad_from, at, '-');
  put(at, size.value, '+');
  return out;
}

bool lost_in_mapfile(const std::vector<FaultRun>& runs) {
  for (const FaultRun& run : runs) {
    if (run.fault != Fault{.read_errno = EIO}) return true;
  }
  return false;
}

}  // namespace dmremap::lab
