// SPDX-License-Identifier: GPL-2.0-or-later
// Takes over a list of known-bad sectors.
//
// The list may be older than what users wrote, so its sectors are quiesced first
// (quiesced_range.hpp), and a write that came before has its say in what is counted. A crash leaves
// the table without the list or with all of it.
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
