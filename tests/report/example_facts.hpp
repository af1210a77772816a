// SPDX-License-Identifier: GPL-2.0-or-later
// Fixed facts to make pages from: what is looked at, and what tests hold the page to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/facts.hpp"

namespace dmremap::report::examples {

// A disk to watch, after more than a year, with all that a page can show.
[[nodiscard]] ReportFacts watched();
// A young set of a disk that is about to fail, stopped.
[[nodiscard]] ReportFacts failing();
// A healthy set with a history in which nothing happened.
[[nodiscard]] ReportFacts good();
// A stopped set of which nothing is known: no verdict, no history, no events.
[[nodiscard]] ReportFacts unknown();
// As watched(), with 10,000 extents and a year with something on every day.
[[nodiscard]] ReportFacts large();
// Every text is one that a page must not take at its word.
[[nodiscard]] ReportFacts hostile();
// Markup, quotes, an escape sequence, a change of direction, and what is no UTF-8.
inline constexpr std::string_view kHostileText =
    "<script>alert(1)</script>\"'&<img src=x "
    "onerror=alert(2)>\x1b[31m\u202egnp.exe\u202c\u2066a\u2069 "
    "\xff\xfe";

// By the names above; empty facts for any other name.
[[nodiscard]] std::vector<std::string> names();
[[nodiscard]] ReportFacts by_name(const std::string& name);

}  // namespace dmremap::report::examples
