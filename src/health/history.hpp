// SPDX-License-Identifier: GPL-2.0-or-later
// A year of what became of a disk, day by day, as a value: how many sectors were lost, remapped,
// recovered, how full the spare is, what SMART said. The verdict and the forecast read growth from
// it. It packs into at most kHistoryMaxBytes, the payload of an optional section.
//
// Its days are days of running: 86400 seconds in which the set was served, counted from its
// creation. The wall clock, which jumps, only labels days for people. So a jump neither loses
// counts nor makes a growth that was none.
//
// What the shell around it supplies:
//   - `advance`, at least once an hour and before it stores the history: the seconds that have
//     passed on the monotonic clock since the last call, and the day of the wall clock;
//   - `count`, as soon as something happened, or with each `advance`;
//   - `note`, whenever a level is measured: spare and table once a day, SMART when it was asked and
//     its answer believed (smart.hpp), latencies once a day from the reads of the scan;
//   - that the bytes of `pack_history` reach the next commit, and no more often than once a minute
//     a commit of their own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace dmremap::health {

inline constexpr std::size_t kHistoryMaxBytes = 3776;
inline constexpr std::uint32_t kHistoryDays = 365;
inline constexpr std::uint64_t kDaySeconds = 86400;

// Events, counted on the day on which they happened. The order is part of the format.
enum class Count : std::uint8_t {
  lost,          // sectors that could not be read and were lost
  remapped,      // sectors that moved to the spare because main failed; not by hand, by a list, or
                 // because main takes no writes at all
  recovered,     // reads that succeeded only when asked again
  slow,          // sectors found far slower than their neighbours
  flush_errors,  // flushes that main failed
  trips,         // times the breaker tripped
};
inline constexpr std::size_t kCounts = 6;
[[nodiscard]] std::string_view name_of(Count what);  // "flush_errors"

// Values that are measured; a day holds those that differ from the last one known. The order is
// part of the format; bits beyond kLevels are for later versions.
enum class Level : std::uint8_t {
  spare_used,    // sectors of the spare that are taken or retired
  table_used,    // extents in the table
  reallocated,   // SMART 5, or the grown defects of a SCSI disk
  reported,      // SMART 187, or uncorrected errors of a SCSI disk
  pending,       // SMART 197, or the pending defects of a SCSI disk
  offline,       // SMART 198
  media_errors,  // of an NVMe device
  percentage_used,
  available_spare,
  latency_median,  // of a day's reads, as latency_code() has it
  latency_p99,
};
inline constexpr std::size_t kLevels = 11;
[[nodiscard]] std::string_view name_of(Level what);  // "spare_used"

// One day with something in it, or several adjacent ones that were merged to save room.
struct Day {
  std::uint32_t day = 0;       // of running, from 0; the last one if several were merged
  std::uint32_t span = 1;      // how many days these are
  std::uint32_t wall_day = 0;  // days since 1970 by the wall clock then; a label
  std::array<std::uint64_t, kCounts> counts{};
  std::array<std::optional<std::uint64_t>, kLevels> levels{};

  [[nodiscard]] std::uint64_t count(Count what) const {
    return counts[static_cast<std::size_t>(what)];
  }
  [[nodiscard]] const std::optional<std::uint64_t>& level(Level what) const {
    return levels[static_cast<std::size_t>(what)];
  }
  bool operator==(const Day&) const = default;
};

// The growth of a level within a period; see History::growth.
struct LevelGrowth {
  std::optional<std::uint64_t> now;     // the last value known
  std::optional<std::uint64_t> before;  // what it was when the period began; empty: not known yet
  std::uint64_t risen = 0;              // the sum of all rises within the period
};

class History {
 public:
  void advance(std::uint64_t elapsed_s, std::uint32_t wall_day);
  void count(Count what, std::uint64_t amount = 1);
  void note(Level what, std::uint64_t value);

  // The day of running that is today, from 0: as many whole days have been observed.
  [[nodiscard]] std::uint32_t today() const { return today_; }
  // Observed time in days, with the fraction of today.
  [[nodiscard]] double observed_days() const;
  // Days with something in them, the oldest first; at most the last kHistoryDays are kept apart.
  [[nodiscard]] std::span<const Day> days() const { return days_; }
  // What was known before the first day that is kept.
  [[nodiscard]] const std::optional<std::uint64_t>& before(Level what) const {
    return before_[static_cast<std::size_t>(what)];
  }
  // What was counted before the first day that is kept.
  [[nodiscard]] std::uint64_t older(Count what) const {
    return older_[static_cast<std::size_t>(what)];
  }

  // The sum over the whole life of the set.
  [[nodiscard]] std::uint64_t total(Count what) const;
  // The sum over the last `days` days, today among them.
  [[nodiscard]] std::uint64_t recent(Count what, std::uint32_t days) const;
  // How many of the last `days` days had any.
  [[nodiscard]] std::uint32_t days_with(Count what, std::uint32_t days) const;
  [[nodiscard]] std::optional<std::uint64_t> latest(Level what) const;
  // Rises within the last `days` days. A level that became known within them has not risen by
  // becoming known.
  [[nodiscard]] LevelGrowth growth(Level what, std::uint32_t days) const;
  // The level on each of the days [from, to) ago, the day 0 ago being today, as far as it was
  // known; the newest first.
  [[nodiscard]] std::vector<std::uint64_t> levels_between(Level what, std::uint32_t from,
                                                          std::uint32_t to) const;

  bool operator==(const History&) const = default;

 private:
  friend std::vector<std::byte> pack_history(const History& history);
  friend std::optional<History> unpack_history(std::span<const std::byte> from);

  Day& day_of_today();
  void forget_oldest();
  void merge_oldest_half();

  std::uint32_t today_ = 0;
  std::uint32_t second_of_day_ = 0;
  std::uint32_t wall_day_ = 0;
  std::array<std::uint64_t, kCounts> older_{};
  // Levels as they were before the first day that is kept.
  std::array<std::optional<std::uint64_t>, kLevels> before_{};
  std::vector<Day> days_;
};

// A latency in eighths of an octave over a microsecond, which keeps a day's value in one byte and
// a quiet disk's days equal; 0 is a microsecond or less.
[[nodiscard]] std::uint64_t latency_code(double microseconds);
[[nodiscard]] double latency_us(std::uint64_t code);

// At most kHistoryMaxBytes. If a year does not fit, the oldest days are merged with their
// neighbours: no count is lost, only on which day it was.
[[nodiscard]] std::vector<std::byte> pack_history(const History& history);
// Accepts any bytes, also padded with zeros; empty if they are no history.
[[nodiscard]] std::optional<History> unpack_history(std::span<const std::byte> from);

}  // namespace dmremap::health
