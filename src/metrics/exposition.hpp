// SPDX-License-Identifier: GPL-2.0-or-later
// Sets as text in Prometheus' exposition format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Pure.
//
// Names follow Prometheus' rules: base units (bytes, seconds, ratios), `_total` for counters, and a
// label where something is one of several states: then each state has a sample, 1 or 0.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "control/health_messages.hpp"
#include "monitor/set_look.hpp"

namespace dmremap::metrics {

struct MeasuredSet {
  monitor::SetLook look;
  std::optional<control::HistoryReply> history;  // empty: the set has none, or does not answer
};

// What is not known of any set is left out, with its family.
[[nodiscard]] std::string exposition(std::span<const MeasuredSet> sets, std::string_view version);

// A value of a label between its quotes.
[[nodiscard]] std::string escaped(std::string_view value);

}  // namespace dmremap::metrics
