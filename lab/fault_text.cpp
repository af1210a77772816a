// SPDX-License-Identifier: GPL-2.0-or-later
#include "fault_text.hpp"

#include <cerrno>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/parse.hpp"
#include "errno_name.hpp"
#include "lists/mapfile.hpp"
#include "lists/text_lines.hpp"

namespace dmremap::lab {

namespace {

constexpr std::uint64_t kSlowLimitMs = 3'600'000;  // an hour

std::string with_errno(std::string_view kind, int number) {
  if (number == EIO) return std::string(kind);
  return fmt::format("{}:{}", kind, name_of_errno(number));
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
  if (!value) return failure_of(value);
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

tl::unexpected<Error> bad_line(const std::string& name, const lists::TextLine& line,
                               std::string what, std::string hint) {
  return fail(ErrorCode::usage, std::move(what), fmt::format("{}:{}", name, line.number),
              std::move(hint));
}

Result<std::vector<FaultRun>> faults_of_mapfile(std::string_view text, const std::string& name) {
  const auto areas = lists::parse_mapfile(text, name);
  if (!areas) return failure_of(areas);
  std::vector<FaultRun> out;
  for (const lists::MapfileArea& area : *areas) {
    if (area.status == lists::MapfileArea::Status::bad) {
      out.push_back({area.sectors(), Fault{.read_errno = EIO}});
    }
  }
  return out;
}

Result<std::vector<FaultRun>> parse_list(std::string_view text, const std::string& name) {
  std::vector<FaultRun> out;
  lists::TextLines lines(text);
  while (const auto line = lines.next()) {
    if (line->words.size() != 2) {
      return bad_line(name, *line, "not a fault", "a list has lines `KIND[+KIND...] RANGE`");
    }
    const auto fault = parse_kinds(line->words[0]);
    if (!fault) return bad_line(name, *line, fault.error().what, fault.error().hint);
    const auto range = parse_range(line->words[1]);
    if (!range) return bad_line(name, *line, range.error().what, range.error().hint);
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
    if (!added) return failure_of(added);
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
  const auto line = lists::TextLines(text).next();
  if (!line) return std::vector<FaultRun>{};
  const char first = line->words.front().front();
  return first >= '0' && first <= '9' ? faults_of_mapfile(text, name) : parse_list(text, name);
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
  using Status = lists::MapfileArea::Status;
  std::vector<lists::MapfileArea> areas;
  Sector at;
  const auto put = [&](Sector end, Status status) {
    areas.push_back({at.byte_offset(), (end - at).bytes(), status});
    at = end;
  };
  for (const FaultRun& run : runs) {
    if (run.fault.read_errno == 0) continue;
    put(run.range.first, Status::finished);
    put(run.range.end(), Status::bad);
  }
  put(Sector{} + size, Status::finished);
  return lists::print_mapfile(areas, "dmremap-lab");
}

bool lost_in_mapfile(const std::vector<FaultRun>& runs) {
  for (const FaultRun& run : runs) {
    if (run.fault != Fault{.read_errno = EIO}) return true;
  }
  return false;
}

}  // namespace dmremap::lab
