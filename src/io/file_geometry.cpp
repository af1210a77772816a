// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/file_geometry.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/aligned_buffer.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::io {

namespace {

constexpr std::uint32_t kSmallestBlockBytes = 512;
constexpr std::uint32_t kLargestBlockBytes = 65536;
constexpr std::uint32_t kImagePhysicalBlockBytes = 4096;

// The offset alignment that direct I/O needs: 0 if direct I/O is not possible, and nothing if the
// kernel or the file system (FUSE; before Linux 6.1 all of them) does not say.
std::optional<std::uint32_t> direct_offset_alignment(int fd) {
#ifdef STATX_DIOALIGN
  struct statx facts {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &facts) == 0 &&
      (facts.stx_mask & STATX_DIOALIGN) != 0) {
    return facts.stx_dio_offset_align;
  }
#endif
  return std::nullopt;
}

// If neither kernel nor file system says it, one small read tells: EINVAL means that the block is
// too small.
bool small_direct_read_is_refused(int fd) {
  AlignedBuffer buffer(kSmallestBlockBytes);
  return ::pread(fd, buffer.span().data(), buffer.size(), kSmallestBlockBytes) < 0 &&
         errno == EINVAL;
}

std::uint32_t image_logical_block_bytes(int fd, bool direct) {
  if (!direct) return kSmallestBlockBytes;
  const auto said = direct_offset_alignment(fd);
  if (!said) {
    return small_direct_read_is_refused(fd) ? kImagePhysicalBlockBytes : kSmallestBlockBytes;
  }
  return std::clamp(std::bit_ceil(*said), kSmallestBlockBytes, kLargestBlockBytes);
}

}  // namespace

Result<std::uint64_t> size_bytes(int fd, bool is_block_device, const std::string& path) {
  if (is_block_device) {
    std::uint64_t bytes = 0;
    if (::ioctl(fd, BLKGETSIZE64, &bytes) != 0) return fail_errno(errno, "get the size", path);
    return bytes;
  }
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return fail_errno(errno, "get the size", path);
  return static_cast<std::uint64_t>(facts.st_size);
}

Result<Geometry> block_device_geometry(int fd, const std::string& path) {
  const auto bytes = size_bytes(fd, true, path);
  if (!bytes) return failure_of(bytes);
  int logical = 0;
  unsigned int physical = 0;
  if (::ioctl(fd, BLKSSZGET, &logical) != 0 || ::ioctl(fd, BLKPBSZGET, &physical) != 0) {
    return fail_errno(errno, "get the block size", path);
  }
  Geometry geometry;
  geometry.logical_block_bytes = static_cast<std::uint32_t>(logical);
  if (geometry.logical_block_bytes < kSmallestBlockBytes ||
      geometry.logical_block_bytes > kLargestBlockBytes ||
      !std::has_single_bit(geometry.logical_block_bytes)) {
    return fail(ErrorCode::block_size,
                "logical block size " + std::to_string(logical) + " is not supported", path,
                "use a device with blocks of 512 to 65536 bytes");
  }
  geometry.physical_block_bytes = std::max(geometry.logical_block_bytes, physical);
  geometry.size = SectorCount::from_bytes(align_down(*bytes, geometry.logical_block_bytes));
  return geometry;
}

Result<Geometry> image_geometry(int fd, bool direct, const std::string& path) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return fail_errno(errno, "get the size", path);
  Geometry geometry;
  geometry.logical_block_bytes = image_logical_block_bytes(fd, direct);
  const auto file_system_block = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(facts.st_blksize, kSmallestBlockBytes, kImagePhysicalBlockBytes));
  geometry.physical_block_bytes =
      std::max(geometry.logical_block_bytes, std::bit_floor(file_system_block));
  geometry.size = SectorCount::from_bytes(
      align_down(static_cast<std::uint64_t>(facts.st_size), geometry.logical_block_bytes));
  return geometry;
}

bool can_be_direct(int fd) {
  struct statfs where {};
  if (::fstatfs(fd, &where) == 0 && where.f_type == TMPFS_MAGIC) return false;
  return direct_offset_alignment(fd) != std::optional<std::uint32_t>(0);
}

Result<void> check_whole_blocks(std::uint64_t bytes, const Geometry& geometry, bool is_block_device,
                                const std::string& path) {
  const std::uint64_t rest = bytes % geometry.logical_block_bytes;
  if (rest == 0) return {};
  return fail(
      ErrorCode::block_size,
      fmt::format("its {} bytes are no whole number of blocks of {} bytes: the last {} would "
                  "not be served",
                  bytes, geometry.logical_block_bytes, rest),
      path,
      is_block_device
          ? std::string("use a device with smaller blocks, or an image of it")
          : fmt::format("make it longer first: truncate --size=%{} FILE (it adds zeros)",
                        geometry.logical_block_bytes));
}

bool zeroes_by_writing(const std::string& path) {
  const auto storage = os::storage_of(path);
  if (!storage || !storage->is_block_device()) return false;
  // The kernel writes zeros itself where the device does not do it (Linux, block/blk-lib.c).
  const std::string queue = os::sysfs_directory_of(os::whole_disk_of(storage->device)) + "/queue";
  const std::string most = os::read_attribute(queue + "/write_zeroes_max_bytes");
  return most.empty() || most == "0";
}

bool zeroes_fast(const std::string& path) {
  const auto storage = os::storage_of(path);
  if (storage && storage->is_block_device()) return !zeroes_by_writing(path);
  // File systems for which zeroing only changes which blocks a file has. Others, such as a FUSE
  // server, may do anything.
  struct statfs where {};
  if (!storage || ::statfs(path.c_str(), &where) != 0) return false;
  constexpr std::array<std::uint32_t, 4> kKnown{EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,
                                                BTRFS_SUPER_MAGIC, TMPFS_MAGIC};
  return std::ranges::find(kKnown, static_cast<std::uint32_t>(where.f_type)) != kKnown.end();
}

}  // namespace dmremap::io
