// SPDX-License-Identifier: GPL-2.0-or-later
// Gives lost sectors their data from an image.
//
// The ranges are quiesced first (quiesced_range.hpp), so what the table says of them is final: a
// sector that a user wrote meanwhile is not lost any more and stays as it is. A sector that was
// written and lost again since the image was read had other contents than the image, and is left
// alone: its commit is later than `as_of`.
//
// What a crash leaves: as for any job of the remapper (remapper.hpp), the table before it or after.
#pragma once

#include "remap/data_path.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

// As Engine::backfill. Requires ranges inside main, in whole logical blocks, sorted and disjoint,
// and as much data. The caller has no pin and no hold.
[[nodiscard]] Result<BackfillReport> backfill(DataPath& path, Remapper& remapper,
                                              const Backfill& fill);

}  // namespace dmremap::remap
