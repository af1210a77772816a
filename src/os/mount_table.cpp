// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/mount_table.hpp"

#include <memory>

#include <libmount/libmount.h>

namespace dmremap::os {

namespace {

struct Unref {
  void operator()(libmnt_table* table) const { ::mnt_unref_table(table); }
  void operator()(libmnt_iter* walk) const { ::mnt_free_iter(walk); }
};
using Table = std::unique_ptr<libmnt_table, Unref>;

std::string text(const char* value) {
  return value == nullptr ? std::string() : std::string(value);
}

// Calls `take` for each entry, in the order of the file.
template <typename Take>
void for_each(libmnt_table* table, const Take& take) {
  const std::unique_ptr<libmnt_iter, Unref> walk(::mnt_new_iter(MNT_ITER_FORWARD));
  libmnt_fs* entry = nullptr;
  while (walk && ::mnt_table_next_fs(table, walk.get(), &entry) == 0) take(entry);
}

}  // namespace

std::vector<Mount> read_mounts(const std::string& mountinfo) {
  std::vector<Mount> mounts;
  const Table table(::mnt_new_table());
  if (!table || ::mnt_table_parse_file(table.get(), mountinfo.c_str()) != 0) return mounts;
  for_each(table.get(), [&](libmnt_fs* entry) {
    mounts.push_back({::mnt_fs_get_devno(entry), text(::mnt_fs_get_target(entry)),
                      text(::mnt_fs_get_fstype(entry)), text(::mnt_fs_get_source(entry))});
  });
  return mounts;
}

std::vector<std::string> read_swaps(const std::string& swaps) {
  std::vector<std::string> paths;
  const Table table(::mnt_new_table());
  if (!table || ::mnt_table_parse_swaps(table.get(), swaps.c_str()) != 0) return paths;
  for_each(table.get(), [&](libmnt_fs* entry) {
    std::string path = text(::mnt_fs_get_source(entry));
    if (path.starts_with('/')) paths.push_back(std::move(path));
  });
  return paths;
}

}  // namespace dmremap::os
