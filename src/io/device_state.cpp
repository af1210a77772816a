// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/device_state.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "os/sysfs.hpp"

namespace dmremap::io {

namespace {

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

// A disk that was pulled keeps its open descriptors, and loses its directory in sysfs.
bool is_in_sysfs(int fd) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return false;
  // If sysfs is not mounted, nothing can be told, and the device counts as present.
  return !exists("/sys/dev/block") || exists(os::sysfs_directory_of(facts.st_rdev));
}

bool is_image_read_only(int fd) {
  struct statvfs where {};
  if (::fstatvfs(fd, &where) == 0 && (where.f_flag & ST_RDONLY) != 0) return true;
  struct statx facts {};
  return ::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &facts) == 0 &&
         (facts.stx_attributes & STATX_ATTR_IMMUTABLE) != 0;
}

}  // namespace

DeviceState state_of(const FileDevice& device) {
  DeviceState out;
  const auto size = device.size_now();
  if (size) out.size = *size;
  if (!device.is_block_device()) {
    out.read_only = is_image_read_only(device.fd());
    return out;
  }
  int flag = 0;
  out.read_only = ::ioctl(device.fd(), BLKROGET, &flag) == 0 && flag != 0;
  // The kernel sets the size of a disk that is gone to 0 (Linux, block/genhd.c).
  out.present = size && size->value > 0 && is_in_sysfs(device.fd());
  return out;
}

}  // namespace dmremap::io
