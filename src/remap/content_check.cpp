// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/content_check.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace dmremap::remap {

Result<void> check_content(const EngineParts& parts, const format::Content& content) {
  const io::Geometry& main = parts.main->geometry();
  for (const io::BlockDevice* device : parts.spares) {
    const io::Geometry& spare = device->geometry();
    if (spare.logical_block_bytes > main.logical_block_bytes) {
      return fail(ErrorCode::block_size, "the spare's logical blocks are larger than main's",
                  device->path());
    }
    if (format::usable_spare_size(content) > spare.size) {
      return fail(ErrorCode::metadata_doubtful, "the spare is smaller than the set says",
                  device->path());
    }
  }
  DMREMAP_ASSERT(parts.spare_reopeners.empty() ||
                 parts.spare_reopeners.size() == parts.spares.size());
  const std::string& metadata_path = parts.spares.front()->path();
  Sector at{0};
  for (const format::Extent& extent : content.extents) {
    const SectorRange range = extent.main();
    if (range.first < at || range.end() > Sector{} + main.size) {
      return fail(ErrorCode::metadata_doubtful, "the table names sectors twice or outside main",
                  metadata_path);
    }
    if (range.first.value % main.unit().value != 0 || range.count.value % main.unit().value != 0) {
      return fail(ErrorCode::block_size, "the table was made for smaller logical blocks of main",
                  parts.main->path());
    }
    at = range.end();
  }
  const auto is_stranger = [&parts](const format::Extent& extent) {
    return position_of(extent.spare().first.index) >= parts.spares.size();
  };
  if (std::ranges::any_of(content.extents, is_stranger) ||
      std::ranges::any_of(content.retired, is_stranger)) {
    return fail(ErrorCode::metadata_doubtful, "the table names a spare that the set does not have",
                metadata_path);
  }
  return {};
}

}  // namespace dmremap::remap
