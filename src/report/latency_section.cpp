// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/size_text.hpp"
#include "report/chart.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"

namespace dmremap::report {

namespace {

using control::HistoryReply;
using control::LatencyPartReport;

std::string text_of(std::uint64_t us) {
  return latency_text(static_cast<double>(us));
}

// What a line or a point of a chart stands for, and its value; `sign` is drawn in 30 by 8.
std::string key(const std::string& sign, const std::string& words, const std::string& value,
                const std::string& place = {}) {
  return fmt::format(
      "<span class=\"key\"><svg viewBox=\"0 0 30 8\" aria-hidden=\"true\">{}</svg> {} "
      "<strong>{}</strong>{}</span>",
      sign, words, value, place);
}

std::string line_key(const char* kind, const std::string& words, const std::string& value) {
  return key(fmt::format("<path class=\"{}\" d=\"M0 4h30\"/>", kind), words, value);
}

std::string figure(const std::string& title, const std::string& keys, const std::string& below) {
  return fmt::format(
      "<figure><figcaption><span class=\"name\">{}</span> {}</figcaption>\n{}</figure>\n", title,
      keys, below);
}

std::string none(const std::string& words) {
  return fmt::format("<p class=\"none\">{}</p>\n", words);
}

// --- over time ---

constexpr const char* kOverTime = "Over time";

std::string over_time(const HistoryReply& history) {
  const auto median = steps_of(history, "latency_median");
  const auto p99 = steps_of(history, "latency_p99");
  if (median.empty() && p99.empty()) {
    return figure(kOverTime, "", none("Not measured yet: the scan measures it as it reads."));
  }
  const auto now = [](const std::vector<LevelStep>& steps) {
    return steps.empty() ? std::string("?") : text_of(steps.back().value);
  };
  const std::string what =
      fmt::format("Latency of reads: median {}, 99th percentile {}", now(median), now(p99));
  const std::string keys = line_key("median", "median", now(median)) + " " +
                           line_key("p99", "99th percentile", now(p99));
  return figure(kOverTime, keys, draw_latency(median, p99, period_of(history), what));
}

// --- across the disk ---

constexpr const char* kAcross = "Across the disk";

// What stands out of the parts that are read.
struct Extremes {
  std::size_t read = 0;
  std::uint64_t middle_us = 0;                 // of what is typical
  std::uint64_t least_us = 0;                  // of what is typical
  const LatencyPartReport* highest = nullptr;  // where it is typical to take long
  const LatencyPartReport* slowest = nullptr;  // where the slowest read was
};

Extremes extremes_of(const std::vector<LatencyPartReport>& parts) {
  Extremes out;
  std::vector<std::uint64_t> typical;
  for (const LatencyPartReport& part : parts) {
    if (!part.typical_us) continue;
    typical.push_back(*part.typical_us);
    if (out.highest == nullptr || *part.typical_us > *out.highest->typical_us) out.highest = &part;
    if (part.slowest_us &&
        (out.slowest == nullptr || *part.slowest_us > *out.slowest->slowest_us)) {
      out.slowest = &part;
    }
  }
  out.read = typical.size();
  if (typical.empty()) return out;
  std::ranges::sort(typical);
  out.middle_us = typical[(typical.size() - 1) / 2];
  out.least_us = typical.front();
  return out;
}

std::string in_words(const std::vector<LatencyPartReport>& parts, const Extremes& it) {
  std::string out =
      fmt::format("Latency across the disk, {} of {} read: typical {} to {}, the highest at {}",
                  it.read, counted(parts.size(), "part"), text_of(it.least_us),
                  text_of(*it.highest->typical_us), place_text(begin_gib(*it.highest)));
  if (it.slowest != nullptr) {
    out += fmt::format("; the slowest read took {}, at {}", text_of(*it.slowest->slowest_us),
                       place_text(begin_gib(*it.slowest)));
  }
  return out;
}

std::string across(const std::vector<LatencyPartReport>& parts) {
  if (parts.empty()) {
    return figure(kAcross, "",
                  none("Not known: the metadata has no room for it, or the set is served by an "
                       "older version."));
  }
  const Extremes it = extremes_of(parts);
  if (it.read == 0) {
    return figure(kAcross, "",
                  none(fmt::format("Not measured yet: the scan has not read enough of any of the "
                                   "{} parts of the disk.",
                                   parts.size())));
  }
  std::string keys = line_key("typical", "typical", text_of(it.middle_us));
  if (it.slowest != nullptr) {
    keys +=
        " " + key("<circle class=\"slowest\" cx=\"15\" cy=\"4\" r=\"3\"/>", "slowest",
                  text_of(*it.slowest->slowest_us), " at " + place_text(begin_gib(*it.slowest)));
  }
  return figure(kAcross, keys, draw_disk_latency(parts, in_words(parts, it)));
}

std::string about_parts(const std::vector<LatencyPartReport>& parts) {
  const std::size_t read = extremes_of(parts).read;
  if (read == 0) return {};
  std::string out = fmt::format(
      "<p class=\"source\">Across the disk: for 128 KiB, in each of {}, by the scan. The line is "
      "what is typical there, the points are the slowest reads of its last pass. An area that "
      "stands out takes the drive longer than others do",
      counted(parts.size(), "part"));
  out += read == parts.size() ? ".</p>\n"
                              : fmt::format("; {} not read yet, and shaded.</p>\n",
                                            parts.size() - read == 1
                                                ? std::string("1 part is")
                                                : fmt::format("{} parts are", parts.size() - read));
  return out;
}

std::string numbers_html(const std::vector<LatencyPartReport>& parts) {
  if (extremes_of(parts).read == 0) return {};
  Table table("Parts of the disk by where they begin",
              {{"From"}, {"Typical", true}, {"Slowest", true}}, "days");
  const auto cell = [](const std::optional<std::uint64_t>& us) {
    return us ? text_of(*us) : std::string("not read yet");
  };
  for (const LatencyPartReport& part : parts) {
    table.add_row({place_text(begin_gib(part)), cell(part.typical_us), cell(part.slowest_us)});
  }
  return "<details><summary>The numbers, part by part</summary>\n" + table.html() + "</details>\n";
}

}  // namespace

std::string latency_html(const ReportFacts& facts) {
  constexpr const char* kTitle = "Latency of reads";
  if (!facts.history) {
    return section("latency", kTitle,
                   none("There is no history to draw: the metadata has none, or the set is served "
                        "by an older version."));
  }
  const std::vector<LatencyPartReport>& parts = facts.history->latency;
  std::string out =
      "<div class=\"charts large\">\n" + over_time(*facts.history) + across(parts) + "</div>\n";
  if (out.find("class=\"chart\"") != std::string::npos) {
    out +=
        "<p class=\"source\">Latencies are on logarithmic scales. Over time: of the reads of each "
        "day; a disk that becomes slower than it used to be is in trouble before it fails.</p>\n";
  }
  return section("latency", kTitle, out + about_parts(parts) + numbers_html(parts));
}

}  // namespace dmremap::report
