// SPDX-License-Identifier: GPL-2.0-or-later
// All that the page of a report is made from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/messages.hpp"
#include "view/disk_caption.hpp"

namespace dmremap::report {

struct ReportFacts {
  control::SetReport set;
  bool running = false;
  control::DiskMap map;
  view::DiskFacts disk;                          // its path is not used: `set` has it
  std::vector<control::EventReport> events;      // the oldest first
  std::optional<control::HistoryReply> history;  // empty: it is not known
  std::string made_at;                           // the time, as format_time has it
  std::string made_by;                           // the program with its version
  std::string host;                              // the machine's name; may be empty
};

}  // namespace dmremap::report
