// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/file_opening.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/parse.hpp"
#include "io/file_geometry.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::io {

namespace {

tl::unexpected<Error> in_use(const std::string& path) {
  const auto uses = os::uses_of(path);
  if (uses.empty()) {
    return fail(ErrorCode::device_in_use, "is in use", path,
                "find what holds it (lsblk, fuser) and end that first");
  }
  return fail(ErrorCode::device_in_use, fmt::format("is in use: {}", fmt::join(uses, ", ")), path,
              "end that use first");
}

tl::unexpected<Error> read_only(const std::string& path) {
  return fail(ErrorCode::device_read_only, "is read-only", path,
              "make it writable (blockdev --setrw, or the write-protect switch)");
}

bool is_read_only_block_device(int fd) {
  int flag = 0;
  return ::ioctl(fd, BLKROGET, &flag) == 0 && flag != 0;
}

// Newer kernels refuse to open a read-only device for writing with EACCES, as if it were a matter
// of rights.
bool refused_as_read_only(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return fd.valid() && is_read_only_block_device(fd.get());
}

tl::unexpected<Error> open_failed(int error, const std::string& path, bool is_block_device) {
  if (error == EBUSY) return in_use(path);
  if ((error == EACCES || error == EPERM) && is_block_device && refused_as_read_only(path)) {
    return read_only(path);
  }
  if (error == EACCES || error == EPERM) {
    return fail_errno(error, "open", path, "try it as root, or check the rights of the file");
  }
  if (error == EROFS) {
    return fail_errno(error, "open for writing", path, "remount its file system read-write");
  }
  return fail_errno(error, "open", path);
}

// The descriptor of this process that OpenMode::through names as /proc/self/fd/N. It is shared,
// with what it holds, since the kernel would take a second opening for another user's.
std::optional<int> shared_descriptor(std::string_view through) {
  constexpr std::string_view kOwn = "/proc/self/fd/";
  if (!through.starts_with(kOwn)) return std::nullopt;
  const auto number = parse_number(through.substr(kOwn.size()));
  return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

Result<OpenedStorage> share(int descriptor, const std::string& path) {
  OpenedStorage opened;
  opened.is_block_device = true;
  opened.direct = true;
  opened.fd = FileDescriptor(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  if (!opened.fd.valid()) return fail_errno(errno, "open once more", path);
  return opened;
}

// Opens with O_DIRECT if the file system offers it.
Result<OpenedStorage> open_as(const std::string& path, int flags, bool is_block_device) {
  OpenedStorage opened;
  opened.is_block_device = is_block_device;
  opened.direct = true;
  opened.fd = FileDescriptor(::open(path.c_str(), flags | O_DIRECT));
  if (!opened.fd.valid() && errno == EINVAL && !is_block_device) {
    opened.direct = false;
    opened.fd = FileDescriptor(::open(path.c_str(), flags));
  }
  if (!opened.fd.valid()) return open_failed(errno, path, is_block_device);
  if (!is_block_device && opened.direct && !can_be_direct(opened.fd.get())) {
    const int status_flags = ::fcntl(opened.fd.get(), F_GETFL);
    if (status_flags < 0 || ::fcntl(opened.fd.get(), F_SETFL, status_flags & ~O_DIRECT) != 0) {
      return fail_errno(errno, "leave direct I/O", path);
    }
    opened.direct = false;
  }
  return opened;
}

// O_EXCL on a loop device does not exclude users of its backing file or device, nor of other loop
// devices over the same bytes. Those are held too. A backing file is locked shared: views of
// different parts of it may exist side by side, but no other program may hold all of it.
Result<void> hold_below(const std::string& path, std::vector<FileDescriptor>& held) {
  const auto storage = os::storage_of(path);
  const auto view =
      storage && storage->is_block_device() ? os::loop_backing(storage->device) : std::nullopt;
  if (!view) return {};
  const auto below = os::storage_of(view->path);
  // The backing file is deleted or not visible here, so no other program can open it by that name
  // either.
  if (!below) return {};
  const int exclusive = below->is_block_device() ? O_EXCL : 0;
  FileDescriptor fd(::open(view->path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | exclusive));
  if (!fd.valid() && errno == EBUSY) return in_use(view->path);
  if (fd.valid() && exclusive == 0 && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0 &&
      errno == EWOULDBLOCK) {
    return in_use(view->path);
  }
  if (fd.valid()) held.push_back(std::move(fd));
  for (const std::string& other : os::loop_devices_on(view->path)) {
    const auto device = os::storage_of(other);
    if (!device || device->device == os::whole_disk_of(storage->device)) continue;
    const auto others_view = os::loop_backing(device->device);
    if (!others_view || !overlap(*view, *others_view)) continue;
    FileDescriptor claim(::open(other.c_str(), O_RDONLY | O_CLOEXEC | O_EXCL));
    if (!claim.valid() && errno == EBUSY) return in_use(other);
    if (claim.valid()) held.push_back(std::move(claim));
  }
  return below->is_block_device() ? hold_below(view->path, held) : Result<void>();
}

Result<OpenedStorage> open_once(const std::string& path, OpenMode mode) {
  struct stat facts {};
  // Before open: opening a FIFO would wait for its other end.
  if (::stat(path.c_str(), &facts) != 0) {
    return fail_errno(errno, "open", path, "check the name and that the device is connected");
  }
  const bool is_block_device = S_ISBLK(facts.st_mode);
  if (!is_block_device && !S_ISREG(facts.st_mode)) {
    return fail(ErrorCode::not_a_device, "is neither a block device nor a regular file", path,
                "give a block device or an image file");
  }
  const bool exclusive = mode.holding == Holding::exclusive;
  int flags = O_CLOEXEC | (mode.access == Access::read_write ? O_RDWR : O_RDONLY);
  if (exclusive && is_block_device) flags |= O_EXCL;

  const std::string node = mode.through.empty() ? path : std::string(mode.through);
  const auto shared = shared_descriptor(mode.through);
  auto opened = shared ? share(*shared, path) : open_as(node, flags, is_block_device);
  if (!opened) return opened;
  if (!mode.through.empty()) {
    opened->itself = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened->itself.valid()) return fail_errno(errno, "open", path);
  }
  if (is_block_device) {
    if (mode.access == Access::read_write && is_read_only_block_device(opened->fd.get())) {
      return read_only(path);
    }
    if (!exclusive) return opened;
    if (auto held = hold_below(path, opened->below); !held) return failure_of(held);
    return opened;
  }
  if (exclusive) {
    if (::flock(opened->fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return in_use(path);
      return fail_errno(errno, "lock", path);
    }
    if (!os::loop_devices_on(path).empty()) return in_use(path);
  }
  return opened;
}

// The requests that a killed process had in its ring keep its files open and locked for a moment
// after the process is gone from /proc. Then no user of the file can be found.
constexpr std::chrono::milliseconds kLetGo{10'000};
constexpr std::chrono::milliseconds kLookEvery{20};

bool is_open_in_this_process(const std::string& path) {
  const auto wanted = os::storage_of(path);
  const std::string descriptors = "/proc/self/fd/";
  return std::ranges::any_of(os::names_in(descriptors), [&](const std::string& fd) {
    return wanted && os::storage_of(descriptors + fd) == wanted;
  });
}

}  // namespace

Result<OpenedStorage> open_storage(const std::string& path, OpenMode mode) {
  const auto until = std::chrono::steady_clock::now() + kLetGo;
  for (;;) {
    auto opened = open_once(path, mode);
    if (opened || opened.error().code != ErrorCode::device_in_use) return opened;
    const std::string& where = opened.error().where;
    const bool is_used = !os::uses_of(where).empty() || is_open_in_this_process(where);
    if (is_used || std::chrono::steady_clock::now() >= until) return opened;
    std::this_thread::sleep_for(kLookEvery);
  }
}

}  // namespace dmremap::io
