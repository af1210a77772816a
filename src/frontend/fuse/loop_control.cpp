// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/fuse/loop_control.hpp"

#include <cerrno>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "frontend/device_use.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::fuse {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStep{50};
constexpr os::Patience::Limits kDetachLimits{milliseconds(10'000), milliseconds(60'000)};
// How often it is checked whether udev or devtmpfs has made a node, before this process makes it.
constexpr int kNodeSteps = 10;
constexpr unsigned kLoopMajor = 7;  // Documentation/admin-guide/devices.txt

std::string sysfs_of(const std::string& node) {
  return "/sys/block/" + std::filesystem::path(node).filename().string();
}

Result<void> provide_node(const std::string& node, unsigned number) {
  struct stat status {};
  for (int step = 0; step < kNodeSteps; ++step) {
    if (::stat(node.c_str(), &status) == 0) return {};
    std::this_thread::sleep_for(kStep);
  }
  const dev_t device = os::parse_device_number(os::read_attribute(sysfs_of(node) + "/dev"))
                           .value_or(makedev(kLoopMajor, number));
  if (::mknod(node.c_str(), S_IFBLK | 0600, device) == 0 || errno == EEXIST) return {};
  return fail_errno(errno, "make the device node", node,
                    "run udev, or give the container the loop devices");
}

// Tells one attachment of a loop device from the next one, which another program may make at once;
// empty if it is free. The kernel counts attachments since 5.15; older ones tell the file only.
std::string attachment_of(const std::string& node) {
  const std::string file = backing_file_of(node);
  if (file.empty()) return {};
  const std::string number = os::read_attribute(sysfs_of(node) + "/diskseq");
  return number.empty() ? file : number;
}

}  // namespace

std::string backing_file_of(const std::string& node) {
  constexpr std::string_view kDeleted = " (deleted)";  // d_path() of a file without a name
  std::string file = os::read_attribute(sysfs_of(node) + "/loop/backing_file");
  if (file.ends_with(kDeleted)) file.resize(file.size() - kDeleted.size());
  return file;
}

bool is_view_of(const std::string& node, const std::string& name, const struct stat& backing) {
  const FileDescriptor device(::open(node.c_str(), O_RDONLY | O_CLOEXEC));
  loop_info64 info{};
  if (device.valid() && ::ioctl(device.get(), LOOP_GET_STATUS64, &info) == 0) {
    return info.lo_device == backing.st_dev && info.lo_inode == backing.st_ino;
  }
  if (device.valid() && errno == ENXIO) return false;  // it is free
  const std::string file = backing_file_of(node);
  return file == name || file == "/";
}

Result<std::string> next_free_loop() {
  constexpr const char* kControl = "/dev/loop-control";
  const FileDescriptor control(::open(kControl, O_RDWR | O_CLOEXEC));
  if (!control.valid()) {
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO) {
      return fail(ErrorCode::not_supported, "this system has no loop devices", kControl,
                  "load the module (modprobe loop), or give the container the device");
    }
    return fail_errno(errno, "take a loop device", kControl,
                      "run as root, or use --export fuse, which needs none");
  }
  const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
  if (number < 0) {
    return fail_errno(errno, "find a free loop device", kControl,
                      "detach loop devices that are not needed (losetup --list)");
  }
  std::string node = fmt::format("/dev/loop{}", number);
  if (auto there = provide_node(node, static_cast<unsigned>(number)); !there) {
    return failure_of(there);
  }
  return node;
}

Result<FileDescriptor> hold_unused(const std::string& node, bool read_only) {
  const int mode = (read_only ? O_RDONLY : O_RDWR) | O_EXCL | O_CLOEXEC;
  os::Patience patience;
  for (int step = 0;; ++step) {
    FileDescriptor held(::open(node.c_str(), mode));
    if (!held.valid() && errno != EBUSY) return fail_errno(errno, "open", node);
    const auto openers = os::openers_of(node);
    if (held.valid() && openers.empty()) return held;
    if (patience.lasts(openers, step * kStep)) {
      held.reset();
      std::this_thread::sleep_for(kStep);
      continue;
    }
    return frontend::in_use(node, os::uses_of(node));
  }
}

Result<void> clear_loop(const std::string& node, FileDescriptor held) {
  const std::string ours = attachment_of(node);
  if (::ioctl(held.get(), LOOP_CLR_FD) != 0 && errno != ENXIO) {
    return fail_errno(errno, "detach", node);
  }
  held.reset();  // the kernel detaches when the last one closes it
  os::Patience patience(kDetachLimits);
  for (auto waited = milliseconds::zero(); attachment_of(node) == ours; waited += kStep) {
    if (patience.lasts(os::openers_of(node), waited)) {
      std::this_thread::sleep_for(kStep);
      continue;
    }
    // A program opened the device at the last moment. The pending detach is taken back, or the
    // device would vanish when that program closes it.
    const FileDescriptor again(::open(node.c_str(), O_RDONLY | O_CLOEXEC));
    if (attachment_of(node) != ours) return {};  // from here on it is held open
    loop_info64 info{};
    if (again.valid() && ::ioctl(again.get(), LOOP_GET_STATUS64, &info) == 0) {
      info.lo_flags &= ~static_cast<__u32>(LO_FLAGS_AUTOCLEAR);
      ::ioctl(again.get(), LOOP_SET_STATUS64, &info);
    }
    return frontend::in_use(node, os::uses_of(node));
  }
  return {};
}

}  // namespace dmremap::fuse
