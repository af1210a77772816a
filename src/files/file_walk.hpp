// SPDX-License-Identifier: GPL-2.0-or-later
// Which files of a file system lie on bad sectors. Asks its driver where files are (FIEMAP), or has
// fiwalk read it off the device; reads no file's data, follows no link and enters no other mount.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "files/bad_areas.hpp"
#include "files/mounted.hpp"

namespace dmremap::files {

struct BadRange {
  ByteRange range;  // of the file; of a compressed extent: all that cannot be unpacked
  Sector sector;    // of the set's device: the first bad one
  std::uint64_t sectors = 0;
  format::State state = format::State::lost;
  bool unwritten = false;  // preallocated: reads as zeros, and no data was there
};

struct BadFile {
  std::string path;  // any bytes
  bool directory = false;
  std::vector<BadRange> ranges;
};

struct Unread {
  std::string path;
  int error = 0;
};

struct BadFiles {
  std::vector<BadFile> files;  // a file with several names once, by the name found first
  std::vector<Unread> unread;  // could not be looked at, and may lie on bad sectors
  std::vector<BadAreas::Left> in_no_file;
  std::uint64_t looked_at = 0;  // files and directories
  std::string fs_type;          // what was found on the device; empty: as the kernel has it
};

// Errors: not_supported, permission, io: of the file system as a whole.
[[nodiscard]] Result<BadFiles> find_bad_files(const Mounted& mounted,
                                              std::span<const format::Extent> extents);

}  // namespace dmremap::files
