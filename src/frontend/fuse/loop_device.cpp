// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/fuse/loop_device.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/log.hpp"
#include "frontend/fuse/loop_control.hpp"
#include "os/path.hpp"

namespace dmremap::fuse {

namespace {

using std::chrono::milliseconds;

// Other programs take free loop devices too. Each lost race costs one more try.
constexpr int kAttachTries = 64;

loop_config configuration(const FileDescriptor& backing, const LoopOptions& options) {
  loop_config config{};
  config.fd = static_cast<__u32>(backing.get());
  config.block_size = options.logical_block_bytes;
  // The disk may be a whole one with partitions on it.
  config.info.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_PARTSCAN;
  if (options.read_only) config.info.lo_flags |= LO_FLAGS_READ_ONLY;
  // The name is for people who run losetup. It is cut off, and identifies nothing.
  const std::size_t name_bytes =
      std::min<std::size_t>(options.backing_path.size(), LO_NAME_SIZE - 1);
  std::memcpy(config.info.lo_file_name, options.backing_path.data(), name_bytes);
  return config;
}

Result<std::string> configure_free_loop(const LoopOptions& options, const FileDescriptor& backing) {
  const loop_config config = configuration(backing, options);
  for (int tries = 0; tries < kAttachTries; ++tries) {
    auto node = next_free_loop();
    if (!node) return node;
    const FileDescriptor device(
        ::open(node->c_str(), (options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
    if (!device.valid() && errno != EBUSY && errno != ENXIO) {
      return fail_errno(errno, "open", *node, "give the container the loop devices");
    }
    if (device.valid() && ::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) return node;
    if (errno == ENOTTY || errno == EINVAL) {
      return fail(ErrorCode::not_supported,
                  fmt::format("the kernel cannot attach it with blocks of {} bytes",
                              options.logical_block_bytes),
                  *node, "Linux 5.8 or later is needed; --export fuse works without a loop device");
    }
    if (errno != EBUSY && errno != EAGAIN && errno != EINTR && errno != ENXIO) {
      return fail_errno(errno, "attach the loop device", *node);
    }
    std::this_thread::sleep_for(milliseconds(1 + tries));
  }
  return fail(ErrorCode::io, "all free loop devices were taken by others", "/dev/loop-control",
              "try again");
}

}  // namespace

LoopDevice::LoopDevice(std::string node, std::string backing_file, const struct stat& backing,
                       const LoopOptions& options)
    : node_(std::move(node)),
      links_(options.stable_link, node_),
      backing_file_(std::move(backing_file)),
      backing_(backing),
      read_only_(options.read_only) {}

LoopDevice::~LoopDevice() {
  if (!attached()) return;
  const FileDescriptor device(::open(node_.c_str(), O_RDONLY | O_CLOEXEC));
  if (device.valid()) ::ioctl(device.get(), LOOP_CLR_FD);
}

// Another program may have detached the device, and it may serve another file by now.
bool LoopDevice::attached() const {
  return !detached_ && is_view_of(node_, backing_file_, backing_);
}

// Checks that the settings are in force. The kernel drops direct I/O silently if the file cannot do
// it, and then the page cache would hold everything twice.
Result<void> LoopDevice::verify(std::uint64_t bytes) const {
  const FileDescriptor device(::open(node_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!device.valid()) return fail_errno(errno, "open", node_);
  loop_info64 info{};
  if (::ioctl(device.get(), LOOP_GET_STATUS64, &info) != 0) {
    return fail_errno(errno, "ask the loop device about itself", node_);
  }
  if ((info.lo_flags & LO_FLAGS_DIRECT_IO) == 0) {
    return fail(ErrorCode::not_supported, "the kernel gave no direct I/O to the loop device", node_,
                "Linux 5.8 or later is needed; --export fuse works without a loop device");
  }
  std::uint64_t size = 0;
  if (::ioctl(device.get(), BLKGETSIZE64, &size) != 0) {
    return fail_errno(errno, "ask for the size", node_);
  }
  if (size != bytes) {
    return fail(ErrorCode::io,
                fmt::format("the loop device has {} bytes and its file {}", size, bytes), node_);
  }
  return {};
}

Result<void> LoopDevice::detach() {
  if (attached()) {
    auto held = hold_unused(node_, read_only_);
    if (!held) return failure_of(held);
    // Written back while the device is held, so that it cannot be mounted in between.
    save_cache(held->get());
    auto cleared = clear_loop(node_, std::move(*held));
    if (!cleared) return cleared;
  }
  note_detached();
  return {};
}

void LoopDevice::abandon() {
  if (attached()) {
    const FileDescriptor device(::open(node_.c_str(), O_RDONLY | O_CLOEXEC));
    if (device.valid()) {
      save_cache(device.get());
      ::ioctl(device.get(), LOOP_CLR_FD);
    }
  }
  note_detached();
}

// The kernel reports a failed write-back once and drops the pages. A second fsync would succeed, so
// the error is kept.
void LoopDevice::save_cache(int device) {
  if (::fsync(device) == 0) return;
  unsaved_ =
      Error{ErrorCode::io,
            fmt::format("what was written to its cache could not be saved: {}", errno_text(errno)),
            node_, "look at the events, check the file system, and write the data again"};
  log(Severity::error, unsaved_->message());
}

void LoopDevice::note_detached() {
  detached_ = true;
  links_.remove();
}

Result<std::unique_ptr<LoopDevice>> LoopDevice::attach(const LoopOptions& options) {
  FileDescriptor backing(
      ::open(options.backing_path.c_str(), (options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
  if (!backing.valid()) return fail_errno(errno, "open", options.backing_path);
  struct stat status {};
  if (::fstat(backing.get(), &status) != 0) {
    return fail_errno(errno, "look at", options.backing_path);
  }
  auto node = configure_free_loop(options, backing);
  if (!node) return failure_of(node);
  // From here on the destructor detaches the device.
  std::unique_ptr<LoopDevice> device(
      new LoopDevice(*node, os::canonical(options.backing_path), status, options));
  if (auto right = device->verify(static_cast<std::uint64_t>(status.st_size)); !right) {
    return failure_of(right);
  }
  return device;
}

}  // namespace dmremap::fuse
