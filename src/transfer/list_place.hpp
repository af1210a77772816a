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

// What the user says of it; at most one of the two.
struct ListOptions {
  // Where the device of the list begins, in sectors of main; negative: main begins there, in
  // sectors of the device of the list.
  std::optional<std::int64_t> offset;
  // A partition: the list is of it and main is its disk, or the list is of its disk and it is main.
  std::string partition;
};

struct ListPlace {
  // What the list is of: main itself, a partition of main, or the disk that main is a partition of.
  enum class Scope { main, partition, whole_disk };
  Scope scope = Scope::main;
  SectorCount start;  // of the partition (that is main, with `whole_disk`) on its disk
  std::optional<SectorCount> size;  // of the partition that the list is of, where known
};

// `main_path`: a device or an image. Errors: usage, for a partition that is none, or has nothing to
// do with main.
[[nodiscard]] Result<ListPlace> find_place(const ListOptions& options, const std::string& main_path,
                                           const os::KernelViews& views = {});

struct PlacedList {
  table::KnownBad sectors;  // of main, all of them on it; neither sorted nor rounded
  SectorCount left_out;     // of a list of the whole disk: what does not lie on main
};

// The last block of a list that has blocks of its own may end beyond its device: it is cut off
// there, if it begins on it. Errors: usage, for a sector that is neither on the device of the list
// nor, but for a list of the whole disk, on main.
[[nodiscard]] Result<PlacedList> place_on_main(const KnownBadList& list, const ListPlace& place,
                                               SectorCount main_size);

// Why the list is hardly one of main as `place` has it; each a sentence for people, with the option
// that would be right. Error: usage, for a list that cannot be one of main: a kernel log counts
// from the start of the disk, and main is a partition.
[[nodiscard]] Result<std::vector<std::string>> doubts_about(
    const KnownBadList& list, const std::string& list_path, const ListPlace& place,
    const std::string& main_path, SectorCount main_size, const os::KernelViews& views = {});

}  // namespace dmremap::transfer
