// SPDX-License-Identifier: GPL-2.0-or-later
// Measuring on a machine that others use too. A and B run in turn, pair by pair, in alternating
// order; the ratio is taken within each pair, so that what slows both does not count. Medians, with
// the 95 % interval that order statistics give: no assumption on how the noise is distributed.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace dmremap::bench {

// The middle of repeated measurements and its 95 % confidence interval. `low` and `high` are the
// extremes if there are fewer than 6.
struct Estimate {
  double median = 0;
  double low = 0;
  double high = 0;
};
[[nodiscard]] Estimate estimate(std::vector<double> samples);

// Wall time of one call, in seconds.
[[nodiscard]] double seconds(const std::function<void()>& work);

// One way to do something: `prepare` is not timed, and may be empty.
struct Way {
  std::function<void()> prepare;
  std::function<void()> work;
};

struct Comparison {
  Estimate a_seconds;
  Estimate b_seconds;
  Estimate ratio;  // b / a, within pairs
};
// The first two pairs warm up and do not count.
[[nodiscard]] Comparison compare(const Way& a, const Way& b, unsigned pairs);

// Several ways against the first, all in turn in each round, beginning with another one each time.
struct Standing {
  Estimate seconds;
  Estimate ratio;  // to the first way, within rounds
};
// One for each way. The first two rounds warm up and do not count.
// What is timed is the calling thread's time on the processor: for work that waits for nothing.
[[nodiscard]] std::vector<Standing> compare_all(const std::vector<Way>& ways, unsigned rounds);

// The calling thread's time on the processor during one call, in seconds: what other programs do
// meanwhile only counts by the caches they use.
[[nodiscard]] double processor_seconds(const std::function<void()>& work);

// Is a goal of "at most `limit`" (or "at least") met? Missed only if the interval lies wholly
// beyond it: "met", "missed", or "open" if the limit is inside the interval.
[[nodiscard]] std::string verdict_at_most(const Estimate& it, double limit);
[[nodiscard]] std::string verdict_at_least(const Estimate& it, double limit);

// "1.23 (1.20 to 1.31)", times `scale`.
[[nodiscard]] std::string text(const Estimate& it, double scale = 1, int digits = 2);

// A row of a Markdown table.
void print_row(const std::vector<std::string>& cells);
// "1.5": of the last minute.
[[nodiscard]] std::string load_average();

// The row of titles and the line below it: the first column is text, the others numbers.
void print_titles(const std::vector<std::string>& titles);

}  // namespace dmremap::bench
