// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of the page, each as HTML. Pure.
#pragma once

#include <string>

#include "report/facts.hpp"

namespace dmremap::report {

// The set's name, its state, and where the page comes from.
[[nodiscard]] std::string header_html(const ReportFacts& facts);
// The verdict with its reasons and the risk.
[[nodiscard]] std::string verdict_html(const ReportFacts& facts);
// The conditions that hold, and the numbers that matter most.
[[nodiscard]] std::string overview_html(const ReportFacts& facts);
[[nodiscard]] std::string advice_html(const ReportFacts& facts);
[[nodiscard]] std::string map_html(const ReportFacts& facts);
// What went bad in a year, and how full spare and table are, with the forecast.
[[nodiscard]] std::string growth_html(const ReportFacts& facts);
// What reads took over a year, and what they take across the disk.
[[nodiscard]] std::string latency_html(const ReportFacts& facts);
[[nodiscard]] std::string scan_html(const ReportFacts& facts);
// Devices, exports, identity, what the drive says of itself, and the copies of the metadata.
[[nodiscard]] std::string devices_html(const ReportFacts& facts);
[[nodiscard]] std::string metadata_html(const ReportFacts& facts);
[[nodiscard]] std::string events_html(const ReportFacts& facts);
[[nodiscard]] std::string footer_html(const ReportFacts& facts);

}  // namespace dmremap::report
