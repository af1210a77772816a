// SPDX-License-Identifier: GPL-2.0-or-later
// A list of bad sectors from elsewhere, read and made into marks for a set: what `bad import` and
// `create --known-bad` share.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "io/block_device.hpp"
#include "transfer/list_place.hpp"

namespace dmremap::transfer {

struct KnownBadSource {
  std::string path;  // empty: no list
  KnownBadForm form;
  ListOptions place;
  // Ranges are rounded out to main's physical blocks, not only to its logical ones: fewer entries
  // of the table, for sectors that fail together.
  bool round = false;
};

struct KnownBadMarks {
  table::KnownBad sectors;  // as fit_to_main gives them
  SectorCount left_out;     // of a list of the whole disk: what does not lie on main
  std::vector<std::string> warnings;
};

// `main_path` is looked up in sysfs, not read. Errors: those of reading a list; usage.
[[nodiscard]] Result<KnownBadMarks> read_marks(const KnownBadSource& source,
                                               const std::string& main_path,
                                               const io::Geometry& main);

}  // namespace dmremap::transfer
