// SPDX-License-Identifier: GPL-2.0-or-later
// What a picture of a set's disk says around the squares.
#pragma once

#include "cli/common/disk_view.hpp"
#include "view/disk_caption.hpp"

namespace dmremap::cli {

// The disk as people know it. Reads /sys and udev's database, opens no device. The drive of a
// running set is the one at its path; of a stopped set it is the recorded one, and what is at that
// path now counts only if it is that drive.
[[nodiscard]] view::DiskFacts disk_facts(const DiskView& disk);

// The whole disk is shown. `disk` must outlive what is returned.
[[nodiscard]] view::MapFacts map_facts(const DiskView& disk);

}  // namespace dmremap::cli
