// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/spare_room.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/units.hpp"

namespace dmremap::set {

namespace {

// In which st_blocks counts (stat(2)).
constexpr std::uint64_t kStatBlockBytes = 512;

}  // namespace

std::string lack_of_room(const std::string& path, const SpareRoom& room) {
  const std::uint64_t missing = room.size - std::min(room.size, room.allocated);
  if (missing <= room.available) return {};
  return fmt::format(
      "{}: the spare is a sparse file: {} MiB of it have no room yet, and its file system has {} "
      "MiB "
      "left; make room, then `fallocate --length {} {}`",
      path, (missing + kMiB - 1) / kMiB, room.available / kMiB, room.size, path);
}

std::string lack_of_room(const std::string& path) {
  struct stat facts {};
  struct statvfs where {};
  if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode) ||
      ::statvfs(path.c_str(), &where) != 0) {
    return {};
  }
  return lack_of_room(path, {static_cast<std::uint64_t>(facts.st_size),
                             static_cast<std::uint64_t>(facts.st_blocks) * kStatBlockBytes,
                             std::uint64_t{where.f_bavail} * where.f_frsize});
}

}  // namespace dmremap::set
