// SPDX-License-Identifier: GPL-2.0-or-later
// The lists of bad blocks that Linux software RAID keeps of each member and shows in sysfs:
// /sys/block/mdX/md/dev-MEMBER/bad_blocks and unacknowledged_bad_blocks (the kernel's
// Documentation/admin-guide/md.rst). One `SECTOR LENGTH` a line, decimal, in sectors of 512 bytes,
// counted from the start of the member: the array's data offset is already in them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::lists {

// Any bytes give the ranges in the order of the list, or an error (usage) whose `where` is
// `name:LINE`. Ranges are not empty and end at or before 2^40 sectors.
[[nodiscard]] Result<std::vector<SectorRange>> parse_md_bad_blocks(std::string_view text,
                                                                   const std::string& name);

}  // namespace dmremap::lists
