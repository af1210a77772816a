// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the files of a file system that lie on bad sectors. Asks its driver where files are
// (FIEMAP), or has fiwalk read it from the device. Reads no file's data, follows no link and enters
// no other mount.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "files/bad_areas.hpp"
#include "files/file_system_location.hpp"

namespace dmremap::files {

// A range of a file that lies on bad sectors.
struct BadRange {
  ByteRange range;  // in the file; for a compressed extent everything that cannot be unpacked
  Sector sector;    // the first bad sector of the set's device
  std::uint64_t sectors = 0;
  format::State state = format::State::lost;
  bool unwritten = false;  // preallocated: reads as zeros, and no data was there
};

// A file with bad ranges.
struct BadFile {
  std::string path;  // any bytes
  bool directory = false;
  std::vector<BadRange> ranges;
};

// A file that could not be examined, and the errno.
struct UnreadableFile {
  std::string path;
  int error = 0;
};

// The result of a walk. `in_no_file` has the bad sectors that no file claimed, and `looked_at`
// counts the files and directories that were examined.
struct BadFiles {
  std::vector<BadFile> files;          // a file with several names once, by the name found first
  std::vector<UnreadableFile> unread;  // may lie on bad sectors too
  std::vector<BadAreas::UnclaimedRange> in_no_file;
  std::uint64_t looked_at = 0;
  std::string fs_type;  // the type found on the device; empty: the one that the kernel names
};

// Errors: not_supported, permission, io: of the file system as a whole.
[[nodiscard]] Result<BadFiles> find_bad_files(const FileSystemLocation& location,
                                              std::span<const format::Extent> extents);

// The bad ranges of one file or directory; none if it lies on good sectors alone. Errors: as above;
// not_supported, too, if the driver does not say where files are; permission and io of the file.
[[nodiscard]] Result<BadFile> find_bad_ranges(const FileSystemLocation& location,
                                              std::span<const format::Extent> extents,
                                              const std::string& path);

}  // namespace dmremap::files
