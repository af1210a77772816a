// SPDX-License-Identifier: GPL-2.0-or-later
// The page of a set to hand to a colleague or to attach to a ticket: one HTML file that needs
// nothing else, no script and no network. Pure.
//
// Names, paths and texts of events come from disks. All of them are escaped (html.hpp), and a
// content security policy in the page lets nothing run and nothing be fetched even so.
#pragma once

#include <string>

#include "report/facts.hpp"

namespace dmremap::report {

[[nodiscard]] std::string make_page(const ReportFacts& facts);

}  // namespace dmremap::report
