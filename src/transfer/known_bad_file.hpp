// SPDX-License-Identifier: GPL-2.0-or-later
// Known-bad lists as files: what other programs say of a disk, and what a set says to them.
//
//   ddrescue    read: bad areas (-) become lost; areas that failed only as a part of a larger read
//               (* and /) suspect; the rest says nothing. Written for a rescue of main itself: -
//               for lost, gone and remapped (main's own sectors are bad there), * for suspect, ?
//               else
//   badblocks   read: lost. Written: every block with a lost, gone or remapped sector
//   md          read: lost. The bad_blocks file of a member of Linux software RAID
//   kernel      read: what the drive could not read is lost, other errors make suspect
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "format/extent.hpp"
#include "lists/badblocks_list.hpp"
#include "lists/kernel_log.hpp"
#include "lists/mapfile.hpp"
#include "lists/md_bad_blocks.hpp"
#include "table/known_bad.hpp"

namespace dmremap::transfer {

enum class KnownBadFormat { ddrescue, badblocks, md, kernel };
[[nodiscard]] std::string_view name_of(KnownBadFormat format);
// Error: usage.
[[nodiscard]] Result<KnownBadFormat> known_bad_format(std::string_view name);

struct KnownBadForm {
  std::optional<KnownBadFormat> format;  // reading, none: the text shows; writing: ddrescue
  std::uint64_t block_bytes = lists::kBadblocksBlockBytes;  // of a badblocks list
  std::string device;                                       // whose errors a kernel log is read for
  // Writing a mapfile: all that main can read, suspect sectors too, counts as finished (+), not as
  // untried (?). For programs that take a mapfile for a list of what can be read: nbdkit's ddrescue
  // filter fails every read of anything but +.
  bool complete = false;
};

struct KnownBadList {
  table::KnownBad sectors;
  KnownBadFormat format = KnownBadFormat::ddrescue;
  // The largest block of the list's own: the last one may end beyond the device it is of.
  SectorCount block{1};
  // The size of what was rescued, where a mapfile says so.
  std::optional<SectorCount> covered;
};

// Total: any bytes give a list or an error (usage) that names the line. `name`: of the file.
[[nodiscard]] Result<KnownBadList> parse_known_bad(std::string_view text, const std::string& name,
                                                   const KnownBadForm& form);
// Errors: also those of reading a file; usage for one that is far too large.
[[nodiscard]] Result<KnownBadList> read_known_bad(const std::string& path,
                                                  const KnownBadForm& form);

// The text of any list. Errors: those of reading a file; usage for one that is far too large.
[[nodiscard]] Result<std::string> read_list(const std::string& path);
// Any mapfile. Errors: as above.
[[nodiscard]] Result<std::vector<lists::MapfileArea>> read_mapfile(const std::string& path);

// `extents`: the table of a set, sorted. `size`: main's. Requires a format that can be written:
// ddrescue or badblocks.
[[nodiscard]] std::string print_known_bad(std::span<const format::Extent> extents, SectorCount size,
                                          const KnownBadForm& form);

// `text` for what was at `path`, all of it or none; what is no regular file is written to. A
// mapfile that dm-remap did not write holds the progress of a rescue: refused (file_exists) unless
// `force`.
[[nodiscard]] Result<void> write_known_bad(const std::string& path, std::string_view text,
                                           bool force);

}  // namespace dmremap::transfer
