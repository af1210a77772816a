// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/btrfs_tree.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <span>

#include <fmt/format.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <sys/ioctl.h>

#include "base/endian.hpp"

namespace dmremap::files {

namespace {

struct Key {
  std::uint64_t object = 0;
  std::uint32_t type = 0;
};

using ItemVisitor =
    std::function<Result<void>(std::uint64_t offset, std::span<const std::byte> item)>;

tl::unexpected<Error> failed() {
  return fail_errno(errno, "read its trees", {}, errno == EPERM ? "run this as root" : "");
}

// Calls visit for the items (key.object, key.type, from..to), in order.
Result<void> for_each_item(int fd, std::uint64_t tree, Key key, std::uint64_t from,
                           std::uint64_t to, const ItemVisitor& visit) {
  while (true) {
    btrfs_ioctl_search_args args{};
    args.key = {.tree_id = tree,
                .min_objectid = key.object,
                .max_objectid = key.object,
                .min_offset = from,
                .max_offset = to,
                .min_transid = 0,
                .max_transid = UINT64_MAX,
                .min_type = key.type,
                .max_type = key.type,
                .nr_items = 4096,
                .unused = 0,
                .unused1 = 0,
                .unused2 = 0,
                .unused3 = 0,
                .unused4 = 0};
    if (::ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) != 0) return failed();
    if (args.key.nr_items == 0) return {};
    const auto buffer = std::as_bytes(std::span(args.buf));
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < args.key.nr_items; ++i) {
      btrfs_ioctl_search_header header{};
      if (buffer.size() - at < sizeof header) return fail(ErrorCode::io, "an answer is cut off");
      std::memcpy(&header, buffer.data() + at, sizeof header);
      at += sizeof header;
      if (buffer.size() - at < header.len) return fail(ErrorCode::io, "an answer is cut off");
      if (auto done = visit(header.offset, buffer.subspan(at, header.len)); !done) return done;
      at += header.len;
      if (header.offset >= to) return {};
      from = header.offset + 1;
    }
  }
}

Result<void> check_single(int fd) {
  btrfs_ioctl_fs_info_args info{};
  if (::ioctl(fd, BTRFS_IOC_FS_INFO, &info) != 0) return failed();
  if (info.num_devices == 1) return {};
  return fail(
      ErrorCode::not_supported,
      fmt::format("has {} devices, and which of them is the set is not told", info.num_devices), {},
      "only a file system on the set alone can be looked at");
}

}  // namespace

Result<std::vector<BtrfsChunk>> read_btrfs_chunks(int fd) {
  if (auto single = check_single(fd); !single) return failure_of(single);
  std::vector<BtrfsChunk> out;
  const Key key{BTRFS_FIRST_CHUNK_TREE_OBJECTID, BTRFS_CHUNK_ITEM_KEY};
  auto done = for_each_item(fd, BTRFS_CHUNK_TREE_OBJECTID, key, 0, UINT64_MAX,
                            [&](std::uint64_t logical, std::span<const std::byte> item) {
                              auto chunk = parse_btrfs_chunk(logical, item);
                              if (!chunk) return Result<void>(failure_of(chunk));
                              out.push_back(std::move(*chunk));
                              return Result<void>();
                            });
  if (!done) return failure_of(done);
  return out;
}

Result<ByteRange> btrfs_extent_of(int fd, std::uint64_t inode, std::uint64_t offset) {
  ByteRange out;
  const Key key{inode, BTRFS_EXTENT_DATA_KEY};
  // Tree 0 is the subvolume of the file.
  auto done = for_each_item(
      fd, 0, key, offset, offset, [&](std::uint64_t, std::span<const std::byte> item) {
        if (item.size() < sizeof(btrfs_file_extent_item)) return Result<void>();
        out.begin = load_le<std::uint64_t>(item, offsetof(btrfs_file_extent_item, disk_bytenr));
        out.length = load_le<std::uint64_t>(item, offsetof(btrfs_file_extent_item, disk_num_bytes));
        return Result<void>();
      });
  if (!done) return failure_of(done);
  if (out.length == 0) return fail(ErrorCode::io, "has changed meanwhile");
  return out;
}

}  // namespace dmremap::files
