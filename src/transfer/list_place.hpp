// SPDX-License-Identifier: GPL-2.0-or-later
// A list of bad sectors may be of another device than main: of a partition of it, or of the whole
// disk that main is a partition of. Here its sectors become main's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "os/usage.hpp"
#include "transfer/known_bad_file.hpp"

namespace dmremap::transfer {

// What the user said about the place of the list; at most one of the two is set.
struct ListOptions {
  // The sector of main where the device of the list begins. If negative, main begins that many
  // sectors into the device of the list.
  std::optional<std::int64_t> offset;
  // A partition: either the list describes it and main is its disk, or the list describes its disk
  // and the partition is main.
  std::string partition;
};

// Where the device that a list describes lies in relation to main.
struct ListPlace {
  // The device that the list describes: main itself, a partition of main, or the disk on which main
  // is a partition.
  enum class Scope { main, partition, whole_disk };
  Scope scope = Scope::main;
  SectorCount start;  // where the partition begins on its disk; with `whole_disk` that is main
  std::optional<SectorCount> size;  // size of the partition that is listed, if known
};

// `main_path`: a device or an image. Errors: usage, for a partition that is none, or has nothing to
// do with main.
[[nodiscard]] Result<ListPlace> find_place(const ListOptions& options, const std::string& main_path,
                                           const os::KernelViews& views = {});

// A list in sectors of main.
struct PlacedList {
  table::KnownBad sectors;  // sectors of main, all on it; neither sorted nor rounded
  SectorCount left_out;     // sectors of a list of the whole disk that are not on main
};

// The last block of a list with block sizes of its own may reach beyond the end of its device. It
// is cut off there, if it begins on it. Errors: usage, for a sector that is neither on the device
// of the list nor, unless it is a list of the whole disk, on main.
[[nodiscard]] Result<PlacedList> place_on_main(const KnownBadList& list, const ListPlace& place,
                                               SectorCount main_size);

// Why the list is hardly one of main as `place` has it; each a sentence for people, with the option
// that would be right. Error: usage, for a list that cannot be one of main: a kernel log counts
// from the start of the disk, and main is a partition.
[[nodiscard]] Result<std::vector<std::string>> doubts_about(
    const KnownBadList& list, const std::string& list_path, const ListPlace& place,
    const std::string& main_path, SectorCount main_size, const os::KernelViews& views = {});

}  // namespace dmremap::transfer
