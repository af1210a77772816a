// SPDX-License-Identifier: GPL-2.0-or-later
// Axes of charts: where the ticks are, and what they say. Pure.
#pragma once

#include <string>
#include <vector>

namespace dmremap::report {

struct Tick {
  double at = 0;  // in the axis's own values
  std::string label;

  bool operator==(const Tick&) const = default;
};

// Ticks are sorted and within [low, high]; low < high. A logarithmic axis has low above 0.
struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<Tick> ticks;

  // The place of a value: 0 at the low end, 1 at the high one. Values beyond are put at the ends.
  [[nodiscard]] double share(double value) const;
};

// From 0 to at least `most`, in steps of 1, 2 or 5 times a power of ten, none below 1. At most
// five ticks.
[[nodiscard]] Axis count_axis(double most);

// From 0 to exactly `top`, which has the last tick with that label.
[[nodiscard]] Axis room_axis(double top);

// Microseconds, logarithmic, from a power of ten to a power of ten around both.
[[nodiscard]] Axis latency_axis(double least, double most);

// Days relative to today: from `past` days ago, shown as -365, to `future` days ahead.
[[nodiscard]] Axis day_axis(double past, double future);

// GiB from the begin of a disk to its end, which is `top`. The last tick says the unit.
[[nodiscard]] Axis place_axis(double top);

// "0", "950", "12k", "3.4M": short, for ticks.
[[nodiscard]] std::string short_number(double value);
// A place on a disk, to three digits: "0.047 GiB", "1204 GiB".
[[nodiscard]] std::string place_text(double gib);
// "80 us", "1.5 ms", "3 s", in the usual sign for micro.
[[nodiscard]] std::string latency_text(double microseconds);

}  // namespace dmremap::report
