// SPDX-License-Identifier: GPL-2.0-or-later
// Signposts of a spare that was grown. A reader that finds no near copy looks for the far ones
// where the size of the device today puts them, and on a grown spare they do not lie there. So two
// seals lie there, out of their place, where the last copy would have its own: they name the places
// of the copies. They count for nothing else.
#pragma once

#include "base/result.hpp"
#include "format/seal.hpp"
#include "io/block_device.hpp"

namespace dmremap::metadata {

// Writes both signposts of a spare that is to be in use up to `used`, or is. `seal` is of its set.
// Does nothing where the last copy itself lies there. It does not flush: the commit that follows
// does, and must be the one to hear of it. A crash leaves signposts that are right, or none: before
// the commit that takes the room over, nothing else lies there. Error io: neither reads back.
[[nodiscard]] Result<void> write_signposts(io::BlockDevice& spare, const format::Seal& seal,
                                           SectorCount used);

// Erases both. Returns false if one cannot be erased.
bool erase_signposts(io::BlockDevice& spare, SectorCount made, SectorCount used);

}  // namespace dmremap::metadata
