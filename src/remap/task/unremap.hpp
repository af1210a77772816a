// SPDX-License-Identifier: GPL-2.0-or-later
// Brings data back to main, for a main that is well again.
//
// What a crash leaves, step by step:
//   hold, drain, read the spare   nothing has changed
//   write to main                 the mapping still says the spare: what main holds does not matter
//   flush, read back, compare     the same
//   commit                        the table before or after it; main and the spare hold the same
//   publish                       requests go to main. Those that began before still read the spare
//   free                          the spare sectors may take other data once none of them is left
#pragma once

#include "remap/data_path.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

// As Engine::unremap. The caller has no pin and no hold.
[[nodiscard]] Result<UnremapReport> unremap(DataPath& path, Remapper& remapper, SectorRange range);

}  // namespace dmremap::remap
