// SPDX-License-Identifier: GPL-2.0-or-later
// The print of main's superblock area as a set sees it (promise 12).
#pragma once

#include <vector>

#include "base/checksum.hpp"
#include "format/content.hpp"
#include "format/extent.hpp"
#include "io/block_device.hpp"

namespace dmremap::discovery {

struct MainPrint {
  Sha256 print{};
  // Every sector that main serves could be read. If not, a print that differs proves nothing.
  bool whole = true;
};

// Sectors whose contents are on the spare, or nowhere, are left out: what main holds there, and
// whether it can be read, is of no interest. `extents` sorted by main sector. Only reads.
[[nodiscard]] MainPrint print_of(io::BlockDevice& main, const std::vector<format::Extent>& extents);

// The contents of these sectors are on the spare, or nowhere.
[[nodiscard]] bool is_elsewhere(const format::Extent& extent);

enum class PrintNow {
  unknown,  // none was recorded, or it does not read well now
  equal,
  differs,
};
// What main's superblock area is now against what a clean stop recorded. Reads only where it
// matters: `always`, or something of main is elsewhere.
[[nodiscard]] PrintNow compare_print(io::BlockDevice& main, const format::Content& content,
                                     bool always);

}  // namespace dmremap::discovery
