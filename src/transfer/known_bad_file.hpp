// SPDX-License-Identifier: GPL-2.0-or-later
// Known-bad lists as files: lists that other programs made of a disk, and lists for other programs.
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

// How a list is read or written. Without a `format` the text tells it when reading, and it is
// ddrescue when writing.
struct KnownBadForm {
  std::optional<KnownBadFormat> format;
  std::uint64_t block_bytes = lists::kBadblocksBlockBytes;  // block size of a badblocks list
  std::string device;  // the device whose errors a kernel log is read for
  // For writing a mapfile: everything that main can read, suspect sectors too, counts as finished
  // (+) and not as untried (?). For programs that take a mapfile for a list of readable areas:
  // nbdkit's ddrescue filter fails every read outside of +.
  bool complete = false;
};

// A list that was read: its sectors, by what they become, and what is needed to place it on main.
struct KnownBadList {
  table::KnownBad sectors;
  KnownBadFormat format = KnownBadFormat::ddrescue;
  // The largest block of the list. Its last block may end beyond the device that it describes.
  SectorCount block{1};
  // The size of the rescued device, if a mapfile gives it.
  std::optional<SectorCount> covered;
};

// Any bytes give a list or an error (usage) that names the line. `name` is the name of the file.
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

// Writes `text` to `path`, all of it or nothing; a pipe or terminal is written to. A mapfile that
// dm-remap did not write holds the progress of a rescue, and is refused (file_exists) unless
// `force`.
[[nodiscard]] Result<void> write_known_bad(const std::string& path, std::string_view text,
                                           bool force);

}  // namespace dmremap::transfer
