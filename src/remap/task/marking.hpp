// SPDX-License-Identifier: GPL-2.0-or-later
// Takes over a list of known-bad sectors.
//
// Nobody has read these sectors to find it out, so it is no user's write: the list is held and
// drained first (live_table.hpp), and a write that came before it has its say in what is counted. A
// crash leaves the table without the list or with all of it.
#pragma once

#include "remap/data_path.hpp"
#include "remap/writer/remapper.hpp"
#include "table/known_bad.hpp"

namespace dmremap::remap {

// One commit, or none if nothing changes. Requires a fitted list. The caller has no pin and no
// hold. Errors as Engine::mark_known_bad.
[[nodiscard]] Result<table::MarkReport> mark(DataPath& path, Remapper& remapper,
                                             const table::KnownBad& list);

}  // namespace dmremap::remap
