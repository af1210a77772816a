// SPDX-License-Identifier: GPL-2.0-or-later
// A set as a device-mapper table: the same disk, served by the kernel alone.
//
// The targets follow each other from sector 0 to the size of main without a gap, as dmsetup asks.
// Format of a line: dmsetup(8); targets: Documentation/admin-guide/device-mapper/linear.rst.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "format/extent.hpp"
#include "table/route.hpp"

namespace dmremap::view {

// The targets that serve `extents`, which are sorted, disjoint and within `size`. Sectors on main
// or the spare become linear targets, and those that are nowhere become error targets. A stretch of
// main lies at its own sectors. Neighbours that one target can serve are joined, even if their
// evidence differs.
[[nodiscard]] std::vector<table::Stretch> dm_targets(std::span<const format::Extent> extents,
                                                     SectorCount size);

struct DmDevices {
  std::string main;
  std::vector<std::string> spares;  // by index
};

// The device and the sector where the data of a stretch lies. Requires a stretch whose data is
// somewhere.
[[nodiscard]] const std::string& device_of(const table::Stretch& stretch, const DmDevices& devices);
[[nodiscard]] Sector sector_of(const table::Stretch& stretch);

// "START LENGTH linear DEVICE SECTOR" and "START LENGTH error", a line each. Error usage: a path
// with a control character, which no table can name.
[[nodiscard]] Result<std::string> print_dm_table(std::span<const table::Stretch> targets,
                                                 const DmDevices& devices);

}  // namespace dmremap::view
