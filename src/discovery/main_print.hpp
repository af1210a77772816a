// SPDX-License-Identifier: GPL-2.0-or-later
// The print of main's superblock area as a set sees it (promise 12).
#pragma once

#include <vector>

#include "base/checksum.hpp"
#include "format/content.hpp"
#include "format/extent.hpp"
#include "io/block_device.hpp"

namespace dmremap::discovery {

// A print, and whether it can be compared with another one.
struct MainPrint {
  Sha256 print{};
  // True if every sector that main serves could be read. If not, a print that differs proves
  // nothing.
  bool whole = true;
};

// Takes the print of main without the sectors whose contents are on the spare or nowhere: it does
// not matter what main holds there or whether it can be read. `extents` must be sorted by main
// sector. Only reads.
[[nodiscard]] MainPrint print_of(io::BlockDevice& main, const std::vector<format::Extent>& extents);

// True if the contents of these sectors are on the spare, or nowhere.
[[nodiscard]] bool is_elsewhere(const format::Extent& extent);

enum class PrintComparison {
  unknown,  // no print was recorded, or main does not read well now, or nothing was read
  equal,
  differs,
};
// Compares main's superblock area with the print that a clean stop recorded. Main is read only if
// `always` is true or some of its sectors are elsewhere; else the result is `unknown`.
[[nodiscard]] PrintComparison compare_print(io::BlockDevice& main, const format::Content& content,
                                            bool always);

}  // namespace dmremap::discovery
