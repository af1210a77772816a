// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the files of NTFS, exFAT and FAT that lie on bad sectors. Their drivers do not say where a
// file is, or not all of them do. fiwalk(1) of The Sleuth Kit reads it from the device, mounted or
// not.
#pragma once

#include <span>

#include "base/result.hpp"
#include "files/file_walk.hpp"
#include "format/extent.hpp"

namespace dmremap::files {

// Reads the metadata of the file system from `location.device`, no file's data. Names that begin
// with $ are of the file system itself. Errors: not_supported (fiwalk is not installed; it is
// another file system, or none that fiwalk knows); io.
[[nodiscard]] Result<BadFiles> find_bad_files_by_fiwalk(const FileSystemLocation& location,
                                                        std::span<const format::Extent> extents);

}  // namespace dmremap::files
