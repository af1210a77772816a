// SPDX-License-Identifier: GPL-2.0-or-later
// Which lost sectors an image has the data of, and what is sent at once. Pure.
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

struct BackfillDisk {
  SectorCount size;
  SectorCount unit{1};                  // the logical block
  std::vector<format::Extent> extents;  // sorted
};

// Sectors whose data the image has, in whole units: all of it, up to its size. Errors:
// device_too_large, device_too_small: an image of another size is not known to be of this disk.
[[nodiscard]] Result<std::vector<SectorRange>> sectors_of_image(const BackfillDisk& disk,
                                                                SectorCount image_size,
                                                                const std::string& image);
// With the mapfile of its rescue: only what that calls finished, and an image may then be cut off
// at its end. Errors: usage, for a mapfile of a larger disk; device_too_large.
[[nodiscard]] Result<std::vector<SectorRange>> sectors_of_image(
    const BackfillDisk& disk, SectorCount image_size, const std::string& image,
    std::span<const lists::MapfileArea> areas, const std::string& mapfile);

struct BackfillPlan {
  std::vector<SectorRange> fill;  // lost, and gone ones if they are wanted, that the image has
  SectorCount filling;            // all of them
  SectorCount missing;            // lost, and the image does not have them
  SectorCount kept_gone;          // gone, and not wanted
};
[[nodiscard]] BackfillPlan plan_backfill(const BackfillDisk& disk,
                                         std::span<const SectorRange> in_image, bool gone_too);

// `fill` in parts for one commit each: at most `most` sectors in at most 256 ranges. `most` is a
// multiple of the unit.
[[nodiscard]] std::vector<std::vector<SectorRange>> batches_of(std::span<const SectorRange> fill,
                                                               SectorCount most);

}  // namespace dmremap::transfer
