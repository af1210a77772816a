// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/page.hpp"

#include <fmt/format.h>

#include "report/advice.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"
#include "report/style.hpp"

namespace dmremap::report {

namespace {

// Of all that a page could fetch or run only its own style sheet is let in. The empty icon keeps a
// browser from asking a server for one.
constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="{}">
<link rel="icon" href="data:,">
<title>{}: {} - dm-remap report</title>
<style>{}</style>
</head>
<body>
)";

}  // namespace

std::string make_page(const ReportFacts& facts) {
  std::string out = fmt::format(fmt::runtime(kHead), escape(facts.made_by), escape(facts.set.name),
                                escape(verdict_of(facts)), style_sheet());
  out += header_html(facts) + "<main>\n";
  for (const auto& part : {verdict_html, overview_html, advice_html, map_html, growth_html,
                           latency_html, scan_html, devices_html, metadata_html, events_html}) {
    out += part(facts);
  }
  return out + "</main>\n" + footer_html(facts) + "</body>\n</html>\n";
}

}  // namespace dmremap::report
