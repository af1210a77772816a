// SPDX-License-Identifier: GPL-2.0-or-later
// Plans a backfill: which lost sectors an image has the data of, and how they are divided into
// batches. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "format/extent.hpp"
#include "lists/mapfile.hpp"

namespace dmremap::transfer {

// The disk to be filled.
struct BackfillDisk {
  SectorCount size;
  SectorCount unit{1};                  // the logical block
  std::vector<format::Extent> extents;  // sorted
};

// The sectors whose data the image has, in whole units. Without a mapfile that is all of it, up to
// its size. Errors: device_too_large, device_too_small: an image of another size is not known to be
// of this disk.
[[nodiscard]] Result<std::vector<SectorRange>> sectors_of_image(const BackfillDisk& disk,
                                                                SectorCount image_size,
                                                                const std::string& image);
// The same with the mapfile of the rescue that made the image: only the sectors that it calls
// finished. The image may then be cut off at its end. Errors: usage for a mapfile of a larger disk;
// device_too_large.
[[nodiscard]] Result<std::vector<SectorRange>> sectors_of_image(
    const BackfillDisk& disk, SectorCount image_size, const std::string& image,
    std::span<const lists::MapfileArea> areas, const std::string& mapfile);

// The sectors to be filled, and counts of those that are not. `fill` has the lost sectors that the
// image has, and the gone ones if they were asked for; `filling` is their number. `missing` counts
// lost sectors that the image does not have, and `kept_gone` gone ones that were not asked for.
struct BackfillPlan {
  std::vector<SectorRange> fill;
  SectorCount filling;
  SectorCount missing;
  SectorCount kept_gone;
};
[[nodiscard]] BackfillPlan plan_backfill(const BackfillDisk& disk,
                                         std::span<const SectorRange> in_image, bool gone_too);

// Divides `fill` into parts for one commit each: at most `most` sectors in at most 256 ranges.
// `most` is a multiple of the unit.
[[nodiscard]] std::vector<std::vector<SectorRange>> batches_of(std::span<const SectorRange> fill,
                                                               SectorCount most);

}  // namespace dmremap::transfer
