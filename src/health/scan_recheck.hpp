// SPDX-License-Identifier: GPL-2.0-or-later
// The places where the scanner met trouble, which are read again: after 1, 2 and 4 weeks and then
// every 4 weeks, ten times in all. Ten weeks after an error the risk of another one has fallen to
// 1 % (Schroeder, FAST 2010); the later rounds are cheap. Pure.
//
// A place is a segment of 1 MiB. Times are those of ScanClock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dmremap::health {

struct RecheckPlace {
  std::uint32_t segment = 0;
  std::uint8_t rechecks = 0;  // how often it was read again since the last trouble
  // The surroundings of this place have not all been read yet. It survives a restart, so that they
  // are read after it.
  bool surroundings_due = false;
  std::uint64_t due_s = 0;

  bool operator==(const RecheckPlace&) const = default;
};

inline constexpr std::size_t kRecheckPlacesMax = 64;
inline constexpr std::uint8_t kRechecksMax = 10;

// The time from one recheck to the next, by how many there were.
[[nodiscard]] std::uint64_t recheck_interval_s(std::uint8_t rechecks);

class RecheckList {
 public:
  RecheckList() = default;
  // As it was stored. Places beyond the end of the disk, doubles and those that are done with are
  // left out; none is due later than its interval from now.
  RecheckList(std::span<const RecheckPlace> stored, std::uint32_t segments, std::uint64_t now_s);

  // Trouble in a segment: its rounds begin anew. True if the place was not listed. A full list
  // gives up the place that has been read again most often.
  bool note_trouble(std::uint32_t segment, std::uint64_t now_s);
  // The segment that has been due for longest.
  [[nodiscard]] std::optional<std::uint32_t> due(std::uint64_t now_s) const;
  // It has been read without trouble. After the last round the place is forgotten.
  void note_good(std::uint32_t segment, std::uint64_t now_s);

  void set_surroundings_due(std::uint32_t segment);
  void clear_surroundings_due();

  // When the next place is due; empty for an empty list.
  [[nodiscard]] std::optional<std::uint64_t> next_due_s() const;
  [[nodiscard]] const std::vector<RecheckPlace>& places() const { return places_; }

 private:
  [[nodiscard]] RecheckPlace* find(std::uint32_t segment);

  std::vector<RecheckPlace> places_;
};

}  // namespace dmremap::health
