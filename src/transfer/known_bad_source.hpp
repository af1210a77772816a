// SPDX-License-Identifier: GPL-2.0-or-later
// A list of bad sectors from another program, read and made into marks for a set. Used by `bad
// import` and `create --known-bad`.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "io/block_device.hpp"
#include "transfer/list_place.hpp"

namespace dmremap::transfer {

// A list that the user gave, and what he said about it.
struct KnownBadSource {
  std::string path;  // empty: no list
  KnownBadForm form;
  ListOptions place;
  // Ranges are rounded out to main's physical blocks, not only to its logical ones: fewer entries
  // of the table, for sectors that fail together.
  bool round = false;
};

// The marks that a list becomes.
struct KnownBadMarks {
  table::KnownBad sectors;  // rounded by fit_to_main
  SectorCount left_out;     // sectors of a list of the whole disk that are not on main
  std::vector<std::string> warnings;
};

// `main_path` is looked up in sysfs, not read. Errors: those of reading a list; usage.
[[nodiscard]] Result<KnownBadMarks> read_marks(const KnownBadSource& source,
                                               const std::string& main_path,
                                               const io::Geometry& main);

}  // namespace dmremap::transfer
