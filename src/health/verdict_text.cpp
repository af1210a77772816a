// SPDX-License-Identifier: GPL-2.0-or-later
// The words of the reasons of a verdict; they stand nowhere else.
#include <algorithm>

#include <fmt/format.h>

#include "health/verdict.hpp"

namespace dmremap::health {

Verdict verdict_named(std::string_view name) {
  const auto* const at = std::ranges::find(kVerdictNames, name);
  return at == kVerdictNames.end() ? Verdict::unknown
                                   : static_cast<Verdict>(at - kVerdictNames.begin());
}

namespace {

struct Words {
  std::string_view name;
  // {0} {1} {2}: the numbers, {3}: the detail.
  std::string_view text;
};

// In the order of ReasonCode.
constexpr Words kWords[] = {
    {"nothing-seen", "nothing speaks against it; days observed: {0}"},
    {"bad-growing", "blocks lost or remapped: {0}, on {1} of the last {2} days"},
    {"bad-recently", "blocks lost or remapped so far: {0}; days since the last: {1}"},
    {"bad-stable", "blocks lost or remapped: {0}, none new for {1} days"},
    {"recovered", "reads that succeeded only when repeated: {0}, on {1} of the last {2} days"},
    {"slow", "sectors far slower than their neighbours: {0} in {1} days"},
    {"latency-drift", "reads take {0} times as long as they used to, for {1} days"},
    {"flush-errors", "flushes that failed: {0} in {1} days"},
    {"trips", "dropouts of the device: {0} in {1} days; look at cable, port and power first"},
    {"spare-full", "the spare is full: what goes bad now is lost"},
    {"table-full", "the table is full: what goes bad now is lost"},
    {"spare-filling", "spare full in {0} to {2} days at this growth (90 %), most likely {1}"},
    {"table-filling", "table full in {0} to {2} days at this growth (90 %), most likely {1}"},
    {"smart-unknown", "SMART unknown: {3}"},
    {"smart-old", "SMART was last read {0} days ago and does not count"},
    {"smart-failing", "the drive's own test says that it is about to fail"},
    {"smart-errors-grew", "SMART {0} rose by {1} within 30 days, to {2}"},
    {"smart-errors-new", "SMART {0} is {1}; not yet known for 30 days, so it may grow"},
    {"smart-errors-stable", "SMART {0} is {1}, and did not rise within 30 days"},
    {"smart-reallocated-grew", "SMART 5 rose by {0} within 30 days, to {1}"},
    {"nvme-read-only", "the device has made itself read-only"},
    {"nvme-unreliable", "the device says that it has become unreliable"},
    {"nvme-spare-low", "the device has {0} % of its own spare left, and warns from {1} %"},
    {"nvme-backup-failed", "the device can no longer save its cache when power fails"},
    {"nvme-hot", "the device is too hot or too cold"},
    {"nvme-media-errors", "media errors rose by {0} within 30 days, to {1}"},
    {"nvme-worn", "{0} % of the writes that the device is made for are used up"},
    {"own-reads-outrank",
     "all of it was read without trouble {0} days ago, which counts more than SMART"},
};
static_assert(std::size(kWords) == static_cast<std::size_t>(ReasonCode::own_reads_outrank) + 1);

const Words& words_of(ReasonCode code) {
  return kWords[static_cast<std::size_t>(code)];
}

}  // namespace

std::string_view name_of(ReasonCode code) {
  return words_of(code).name;
}

std::string text(const Reason& reason) {
  const auto& [a, b, c] = reason.numbers;
  if (reason.code == ReasonCode::latency_drift) {
    return fmt::format(fmt::runtime(words_of(reason.code).text),
                       fmt::format("{:.1f}", static_cast<double>(a) / 10), b, c, reason.detail);
  }
  return fmt::format(fmt::runtime(words_of(reason.code).text), a, b, c, reason.detail);
}

}  // namespace dmremap::health
