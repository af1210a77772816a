// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/history.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/endian.hpp"

namespace dmremap::health {

namespace {

template <typename Enum>
constexpr std::size_t at(Enum what) {
  return static_cast<std::size_t>(what);
}

std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b) {
  return a > std::numeric_limits<std::uint64_t>::max() - b
             ? std::numeric_limits<std::uint64_t>::max()
             : a + b;
}

// `into` is the later of the two.
void merge_earlier(Day& into, const Day& earlier) {
  into.span = into.day - earlier.day + earlier.span;
  for (std::size_t i = 0; i < kCounts; ++i) {
    into.counts[i] = saturating_sum(into.counts[i], earlier.counts[i]);
  }
  for (std::size_t i = 0; i < kLevels; ++i) {
    if (!into.levels[i]) into.levels[i] = earlier.levels[i];
  }
}

}  // namespace

std::string_view name_of(Count what) {
  constexpr std::array<std::string_view, kCounts> kNames{"lost", "remapped",     "recovered",
                                                         "slow", "flush_errors", "trips"};
  return kNames.at(static_cast<std::size_t>(what));
}

std::string_view name_of(Level what) {
  constexpr std::array<std::string_view, kLevels> kNames{
      "spare_used",      "table_used",     "reallocated",  "reported",
      "pending",         "offline",        "media_errors", "percentage_used",
      "available_spare", "latency_median", "latency_p99"};
  return kNames.at(static_cast<std::size_t>(what));
}

void History::advance(std::uint64_t elapsed_s, std::uint32_t wall_day) {
  const std::uint64_t seconds = second_of_day_ + elapsed_s % kDaySeconds;
  const std::uint64_t days = saturating_sum(elapsed_s / kDaySeconds, seconds / kDaySeconds);
  second_of_day_ = static_cast<std::uint32_t>(seconds % kDaySeconds);
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint32_t>::max();
  today_ = static_cast<std::uint32_t>(std::min(kLast, today_ + std::min(kLast, days)));
  wall_day_ = wall_day;
  forget_oldest();
}

void History::forget_oldest() {
  const auto kept = std::ranges::find_if(
      days_, [this](const Day& day) { return today_ - day.day < kHistoryDays; });
  for (auto day = days_.begin(); day != kept; ++day) {
    for (std::size_t i = 0; i < kCounts; ++i) {
      older_[i] = saturating_sum(older_[i], day->counts[i]);
    }
    for (std::size_t i = 0; i < kLevels; ++i) {
      if (day->levels[i]) before_[i] = day->levels[i];
    }
  }
  days_.erase(days_.begin(), kept);
}

Day& History::day_of_today() {
  if (days_.empty() || days_.back().day != today_) {
    Day fresh;
    fresh.day = today_;
    fresh.wall_day = wall_day_;
    days_.push_back(fresh);
  }
  return days_.back();
}

void History::count(Count what, std::uint64_t amount) {
  if (amount == 0) return;
  std::uint64_t& sum = day_of_today().counts[at(what)];
  sum = saturating_sum(sum, amount);
}

void History::note(Level what, std::uint64_t value) {
  // Only a change is kept, so that a quiet day takes no room.
  if (latest(what) != value) day_of_today().levels[at(what)] = value;
}

double History::observed_days() const {
  return static_cast<double>(today_) +
         static_cast<double>(second_of_day_) / static_cast<double>(kDaySeconds);
}

std::uint64_t History::total(Count what) const {
  std::uint64_t sum = older(what);
  for (const Day& day : days_) sum = saturating_sum(sum, day.count(what));
  return sum;
}

std::uint64_t History::recent(Count what, std::uint32_t days) const {
  std::uint64_t sum = 0;
  for (const Day& day : days_) {
    if (today_ - day.day < days) sum = saturating_sum(sum, day.count(what));
  }
  return sum;
}

std::uint32_t History::days_with(Count what, std::uint32_t days) const {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      days_, [&](const Day& day) { return today_ - day.day < days && day.count(what) > 0; }));
}

std::optional<std::uint64_t> History::latest(Level what) const {
  for (auto day = days_.rbegin(); day != days_.rend(); ++day) {
    if (day->level(what)) return day->level(what);
  }
  return before_[at(what)];
}

LevelGrowth History::growth(Level what, std::uint32_t days) const {
  LevelGrowth out;
  std::optional<std::uint64_t> last = before_[at(what)];
  out.before = last;
  for (const Day& day : days_) {
    if (!day.level(what)) continue;
    if (today_ - day.day < days) {
      if (last && *day.level(what) > *last) {
        out.risen = saturating_sum(out.risen, *day.level(what) - *last);
      }
    } else {
      out.before = day.level(what);
    }
    last = day.level(what);
  }
  out.now = last;
  return out;
}

std::vector<std::uint64_t> History::levels_between(Level what, std::uint32_t from,
                                                   std::uint32_t to) const {
  std::vector<std::uint64_t> out;
  const std::uint32_t end = std::min({to, kHistoryDays, today_ + 1});
  auto day = days_.rbegin();
  for (std::uint32_t ago = from; ago < end; ++ago) {
    while (day != days_.rend() && (day->day > today_ - ago || !day->level(what))) ++day;
    const auto value = day == days_.rend() ? before_[at(what)] : day->level(what);
    if (!value) break;
    out.push_back(*value);
  }
  return out;
}

void History::merge_oldest_half() {
  // Adjacent pairs of the older half; an odd one out stays as it is.
  std::vector<Day> merged;
  const std::size_t half = std::max<std::size_t>(2, days_.size() / 2);
  for (std::size_t i = 0; i < days_.size(); ++i) {
    if (i + 1 < half && i % 2 == 0) {
      merged.push_back(days_[i + 1]);
      merge_earlier(merged.back(), days_[i]);
      ++i;
    } else {
      merged.push_back(days_[i]);
    }
  }
  days_ = std::move(merged);
}

std::uint64_t latency_code(double microseconds) {
  if (!(microseconds > 1)) return 0;
  return static_cast<std::uint64_t>(std::lround(std::min(8 * std::log2(microseconds), 255.0)));
}

double latency_us(std::uint64_t code) {
  return std::exp2(static_cast<double>(std::min<std::uint64_t>(code, 255)) / 8);
}

// --- bytes ---

namespace {

// version u8 = 1, three zeros, length of all u32, today u32, second of the day u32, wall day u32,
// days u32; then as varints: the older counts, the levels before (0: not known, else value + 1),
// and the days. A day is: days since the one before (the first: since 0), span, label less the
// label of the day before (zigzag), mask of what follows, counts, levels (less the last value,
// zigzag).
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kLengthAt = 4;
constexpr std::size_t kTodayAt = 8;
constexpr std::size_t kSecondAt = 12;
constexpr std::size_t kWallDayAt = 16;
constexpr std::size_t kDaysAt = 20;
constexpr std::size_t kHeaderBytes = 24;

std::uint64_t zigzag(std::uint64_t now, std::uint64_t last) {
  const std::uint64_t difference = now - last;
  return difference << 1U ^ (difference >> 63U != 0 ? ~std::uint64_t{0} : 0);
}

std::uint64_t unzigzag(std::uint64_t code, std::uint64_t last) {
  return last + (code >> 1U ^ ((code & 1U) != 0 ? ~std::uint64_t{0} : 0));
}

void put_varint(std::vector<std::byte>& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::byte>(value | 0x80U));
    value >>= 7U;
  }
  out.push_back(static_cast<std::byte>(value));
}

// Reads zero after the end or a bad number, and remembers that it did.
class VarintReader {
 public:
  explicit VarintReader(std::span<const std::byte> from) : rest_(from) {}

  std::uint64_t next() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = std::to_integer<std::uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      if (shift == 63 && byte > 1) break;
      value |= (byte & 0x7fU) << shift;
      if (byte < 0x80) return value;
    }
    bad_ = true;
    return 0;
  }
  [[nodiscard]] bool bad() const { return bad_; }
  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
  bool bad_ = false;
};

// What the days before said, which the fields of the next one are relative to.
struct Relative {
  std::uint64_t day = 0;
  std::uint64_t wall_day = 0;
  std::array<std::uint64_t, kLevels> levels{};
};

void put_day(std::vector<std::byte>& out, const Day& day, Relative& last) {
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < kCounts; ++i) {
    if (day.counts[i] > 0) mask |= std::uint64_t{1} << i;
  }
  for (std::size_t i = 0; i < kLevels; ++i) {
    if (day.levels[i]) mask |= std::uint64_t{1} << (kCounts + i);
  }
  put_varint(out, day.day - last.day);
  put_varint(out, day.span);
  put_varint(out, zigzag(day.wall_day, last.wall_day));
  put_varint(out, mask);
  for (const std::uint64_t count : day.counts) {
    if (count > 0) put_varint(out, count);
  }
  for (std::size_t i = 0; i < kLevels; ++i) {
    if (!day.levels[i]) continue;
    put_varint(out, zigzag(*day.levels[i], last.levels[i]));
    last.levels[i] = *day.levels[i];
  }
  last.day = day.day;
  last.wall_day = day.wall_day;
}

std::optional<Day> next_day(VarintReader& in, Relative& last, bool first, std::uint32_t today) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  const std::uint64_t gap = in.next();
  const std::uint64_t span = in.next();
  const std::uint64_t wall_day = unzigzag(in.next(), last.wall_day);
  const std::uint64_t mask = in.next();
  const std::uint64_t day = last.day + gap;
  if (gap > kMost || day > today || (!first && gap == 0) || span == 0 || wall_day > kMost ||
      mask == 0 || mask >> (kCounts + kLevels) != 0 || span > day + 1 || (!first && span > gap)) {
    return std::nullopt;
  }
  Day out;
  out.day = static_cast<std::uint32_t>(day);
  out.span = static_cast<std::uint32_t>(span);
  out.wall_day = static_cast<std::uint32_t>(wall_day);
  for (std::size_t i = 0; i < kCounts; ++i) {
    if ((mask >> i & 1U) == 0) continue;
    out.counts[i] = in.next();
    if (out.counts[i] == 0) return std::nullopt;
  }
  for (std::size_t i = 0; i < kLevels; ++i) {
    if ((mask >> (kCounts + i) & 1U) == 0) continue;
    out.levels[i] = unzigzag(in.next(), last.levels[i]);
    last.levels[i] = *out.levels[i];
  }
  last.day = day;
  last.wall_day = wall_day;
  if (in.bad() || today - out.day >= kHistoryDays) return std::nullopt;
  return out;
}

}  // namespace

std::vector<std::byte> pack_history(const History& history) {
  History fitting = history;
  for (;;) {
    std::vector<std::byte> out(kHeaderBytes);
    for (const std::uint64_t count : fitting.older_) put_varint(out, count);
    Relative last;
    for (std::size_t i = 0; i < kLevels; ++i) {
      const auto& level = fitting.before_[i];
      // The largest value cannot be told from one less: no level ever reaches it.
      put_varint(out, level ? saturating_sum(*level, 1) : 0);
      last.levels[i] = level.value_or(0);
    }
    for (const Day& day : fitting.days_) put_day(out, day, last);
    if (out.size() > kHistoryMaxBytes && fitting.days_.size() > 1) {
      fitting.merge_oldest_half();
      continue;
    }
    out[0] = std::byte{kVersion};
    store_le(out, kLengthAt, static_cast<std::uint32_t>(out.size()));
    store_le(out, kTodayAt, fitting.today_);
    store_le(out, kSecondAt, fitting.second_of_day_);
    store_le(out, kWallDayAt, fitting.wall_day_);
    store_le(out, kDaysAt, static_cast<std::uint32_t>(fitting.days_.size()));
    return out;
  }
}

std::optional<History> unpack_history(std::span<const std::byte> from) {
  if (from.size() < kHeaderBytes) return std::nullopt;
  const std::size_t length = load_le<std::uint32_t>(from, kLengthAt);
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  if (from[0] != std::byte{kVersion} || !std::ranges::all_of(from.subspan(1, 3), is_zero) ||
      length < kHeaderBytes || length > std::min(from.size(), kHistoryMaxBytes) ||
      !std::ranges::all_of(from.subspan(length), is_zero)) {
    return std::nullopt;
  }
  History out;
  out.today_ = load_le<std::uint32_t>(from, kTodayAt);
  out.second_of_day_ = load_le<std::uint32_t>(from, kSecondAt);
  out.wall_day_ = load_le<std::uint32_t>(from, kWallDayAt);
  const std::uint32_t days = load_le<std::uint32_t>(from, kDaysAt);
  if (out.second_of_day_ >= kDaySeconds || days > kHistoryDays) return std::nullopt;
  VarintReader in(from.subspan(kHeaderBytes, length - kHeaderBytes));
  for (std::uint64_t& count : out.older_) count = in.next();
  Relative last;
  for (std::size_t i = 0; i < kLevels; ++i) {
    const std::uint64_t code = in.next();
    if (code > 0) out.before_[i] = code - 1;
    last.levels[i] = out.before_[i].value_or(0);
  }
  for (std::uint32_t i = 0; i < days; ++i) {
    const auto day = next_day(in, last, i == 0, out.today_);
    if (!day) return std::nullopt;
    out.days_.push_back(*day);
  }
  if (in.bad() || !in.done()) return std::nullopt;
  return out;
}

}  // namespace dmremap::health
