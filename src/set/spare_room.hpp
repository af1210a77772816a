// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace dmremap::set {

// A spare image and the file system it lies on, in bytes.
struct SpareRoom {
  std::uint64_t size = 0;       // of the image
  std::uint64_t allocated = 0;  // of it, on the file system
  std::uint64_t available = 0;  // on the file system
};

// Why a sparse image may find no room below it when a sector has to be saved, in one line for
// people; empty if there is room. Pure.
[[nodiscard]] std::string lack_of_room(const std::string& path, const SpareRoom& room);

// The same for the spare at `path`; a block device has all its room.
[[nodiscard]] std::string lack_of_room(const std::string& path);

}  // namespace dmremap::set
