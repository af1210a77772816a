// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/messages.hpp"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "dm-remap-protocol.h"

namespace dmremap::dm {

namespace {

constexpr std::size_t kInstanceDigits = 16;

std::string message(std::string_view verb, TableInstance to) {
  return fmt::format("{} {} {:016x}", verb, DM_REMAP_PROTOCOL, to.number);
}

std::string with_ranges(std::string text, std::span<const RegionRange> ranges) {
  for (const RegionRange& range : ranges) {
    fmt::format_to(std::back_inserter(text), " {}+{}", range.first, range.count);
  }
  return text;
}

// Takes an answer apart, word by word. What is not as it should be is noted, and said at the end.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text), rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] bool good() const { return good_; }
  void reject() { good_ = false; }

  std::string_view word() {
    const std::string_view found = rest_.substr(0, rest_.find(' '));
    rest_.remove_prefix(std::min(rest_.size(), found.size() + 1));
    good_ = good_ && !found.empty();
    return found;
  }

  template <std::unsigned_integral T>
  T number(std::string_view digits, int base = 10) {
    T value = 0;
    const char* const end = digits.data() + digits.size();
    const auto [at, error] = std::from_chars(digits.data(), end, value, base);
    good_ = good_ && error == std::errc{} && at == end;
    return value;
  }
  template <std::unsigned_integral T>
  T number() {
    return number<T>(word());
  }

  // `FIRST+COUNT`
  template <std::unsigned_integral First>
  std::pair<First, std::uint32_t> range(std::string_view text) {
    const std::size_t plus = text.find('+');
    if (plus == std::string_view::npos) {
      good_ = false;
      return {};
    }
    return {number<First>(text.substr(0, plus)), number<std::uint32_t>(text.substr(plus + 1))};
  }

  void protocol() {
    const auto spoken = number<std::uint32_t>();
    other_protocol_ = good_ && spoken != DM_REMAP_PROTOCOL;
    good_ = good_ && !other_protocol_;
  }
  TableInstance instance() {
    const std::string_view digits = word();
    good_ = good_ && digits.size() == kInstanceDigits;
    return {number<std::uint64_t>(digits, 16)};
  }
  // What every answer begins with.
  TableInstance sender() {
    protocol();
    return instance();
  }
  void expect_sender(TableInstance table) {
    other_table_ = sender() != table && good_;
    good_ = good_ && !other_table_;
  }

  // What `value` is worth.
  template <typename T>
  Result<T> conclude(T value) const {
    if (good_ && rest_.empty()) {
      return value;
    }
    if (text_.empty()) {
      return fail(ErrorCode::protocol, "the kernel target has not answered", "",
                  "is its table still loaded? dmsetup table shows it");
    }
    if (other_protocol_) {
      return tl::unexpected(other_protocol());
    }
    if (other_table_) {
      return tl::unexpected(other_table());
    }
    return fail(ErrorCode::protocol,
                fmt::format("cannot read what the kernel target says: {}", text_.substr(0, 80)));
  }

 private:
  std::string_view text_;
  std::string_view rest_;
  bool good_ = true;
  bool other_protocol_ = false;
  bool other_table_ = false;
};

}  // namespace

Error other_protocol(std::string where) {
  return {ErrorCode::protocol, "the kernel target speaks another protocol", std::move(where),
          "load the module dm-remap that belongs to this version"};
}

Error other_table(std::string where) {
  return {ErrorCode::protocol, "the table of the kernel target was loaded anew", std::move(where),
          "was dmsetup used on the set's device?"};
}

std::string hello_message() {
  return DM_REMAP_HELLO;
}

std::string mark_message(TableInstance to, std::span<const RegionRange> ranges) {
  return with_ranges(message(DM_REMAP_MARK, to), ranges);
}

std::string clear_message(TableInstance to, std::span<const RegionRange> ranges) {
  return with_ranges(message(DM_REMAP_CLEAR, to), ranges);
}

std::string drain_message(TableInstance to, std::uint32_t milliseconds,
                          std::span<const RegionRange> ranges) {
  return with_ranges(fmt::format("{} {}", message(DM_REMAP_DRAIN, to), milliseconds), ranges);
}

std::string marks_message(TableInstance to, std::uint32_t from) {
  return fmt::format("{} {}", message(DM_REMAP_MARKS, to), from);
}

std::string dirty_message(TableInstance to, std::uint32_t from) {
  return fmt::format("{} {}", message(DM_REMAP_DIRTY, to), from);
}

std::string written_message(TableInstance to, Epoch after, std::uint32_t from) {
  return fmt::format("{} {} {}", message(DM_REMAP_WRITTEN, to), after.number, from);
}

std::string epoch_message(TableInstance to) {
  return message(DM_REMAP_EPOCH, to);
}

std::string settle_message(TableInstance to, Epoch epoch) {
  return fmt::format("{} {}", message(DM_REMAP_SETTLE, to), epoch.number);
}

std::string slow_message(TableInstance to, std::uint32_t limit_ms, std::uint32_t from) {
  return fmt::format("{} {} {}", message(DM_REMAP_SLOW, to), limit_ms, from);
}

Result<Hello> parse_hello(std::string_view answer) {
  Words words(answer);
  Hello hello{};
  hello.table = words.sender();
  hello.regions = words.number<std::uint32_t>();
  hello.region_sectors = SectorCount{words.number<std::uint32_t>()};
  return words.conclude(hello);
}

Result<std::uint64_t> parse_count(std::string_view answer, TableInstance from) {
  Words words(answer);
  words.expect_sender(from);
  return words.conclude(words.number<std::uint64_t>());
}

Result<RegionList> parse_regions(std::string_view answer, TableInstance from) {
  Words words(answer);
  words.expect_sender(from);
  RegionList list{};
  std::string_view word = words.word();
  for (; words.good() && word != "next"; word = words.word()) {
    const auto [first, count] = words.range<std::uint32_t>(word);
    list.ranges.push_back({first, count});
  }
  list.next = words.number<std::uint32_t>();
  return words.conclude(std::move(list));
}

Result<Epochs> parse_epochs(std::string_view answer, TableInstance from) {
  Words words(answer);
  words.expect_sender(from);
  Epochs epochs{};
  epochs.ended = {words.number<std::uint32_t>()};
  epochs.durable = {words.number<std::uint32_t>()};
  return words.conclude(epochs);
}

Result<Epoch> parse_durable(std::string_view answer, TableInstance from) {
  Words words(answer);
  words.expect_sender(from);
  return words.conclude(Epoch{words.number<std::uint32_t>()});
}

Result<SlowRequests> parse_slow(std::string_view answer, TableInstance from) {
  Words words(answer);
  words.expect_sender(from);
  SlowRequests slow{};
  std::string_view word = words.word();
  for (; words.good() && word != "next"; word = words.word()) {
    if (word != "r" && word != "w") {
      words.reject();
    }
    const auto [first, count] = words.range<std::uint64_t>(words.word());
    const auto milliseconds = words.number<std::uint32_t>();
    slow.requests.push_back({{Sector{first}, SectorCount{count}}, word == "w", milliseconds});
  }
  slow.next = words.number<std::uint32_t>();
  return words.conclude(std::move(slow));
}

Result<TargetStatus> parse_status(std::string_view status) {
  Words words(status);
  TargetStatus found;
  const std::pair<std::string_view, std::uint64_t*> numbers[] = {
      {"regions", &found.regions}, {"marked", &found.marked},       {"sent", &found.sent},
      {"waiting", &found.waiting}, {"escalated", &found.escalated}, {"failed", &found.failed}};
  if (words.word() != "protocol") {
    words.reject();
  }
  words.protocol();
  while (words.good() && !words.done()) {
    const std::string_view name = words.word();
    if (name == "instance") {
      found.table = words.instance();
      continue;
    }
    const std::string_view value = words.word();
    for (const auto& [known, into] : numbers) {
      if (name == known) {
        *into = words.number<std::uint64_t>(value);
      }
    }
  }
  return words.conclude(found);
}

}  // namespace dmremap::dm
