// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/memory_root.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dmremap::os {

namespace {

// Of those that have another file system somewhere below them only /sys needs it: the limits of
// control groups are there.
struct Directory {
  const char* path;
  bool with_mounts_below;
};
constexpr std::array kDirectories{Directory{"/dev", false}, Directory{"/proc", false},
                                  Directory{"/run", false}, Directory{"/sys", true}};
// Where it is mounted, over the directory that is known to be no part of the root file system.
constexpr const char* kPlace = "/run";

FileDescriptor open_directory(const char* path) {
  return FileDescriptor(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

tl::unexpected<Error> not_made(const char* step) {
  return fail_errno(errno, step, "a root directory in memory",
                    "it takes the right to mount (CAP_SYS_ADMIN), and to change the root directory "
                    "(CAP_SYS_CHROOT)");
}

// On the root file system it would be no way out of it.
Result<void> check_in_memory() {
  struct stat root {};
  if (::stat("/", &root) != 0) return not_made("look at /");
  for (const Directory& directory : kDirectories) {
    struct stat facts {};
    if (::stat(directory.path, &facts) != 0 || facts.st_dev == root.st_dev) {
      return fail(ErrorCode::not_supported, "is no file system of its own, in memory",
                  directory.path, "mount it as systemd does");
    }
  }
  return {};
}

struct Made {
  FileDescriptor root;
  FileDescriptor mounts;
};

// Call it in a thread that ends: that one is left in the namespace.
Result<Made> make_in_this_thread() {
  // Nothing that is mounted here is seen elsewhere, and the other way round.
  if (::unshare(CLONE_NEWNS) != 0) return not_made("have a mount namespace for");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return not_made("part the mounts of");
  }
  std::array<FileDescriptor, kDirectories.size()> found;
  for (std::size_t i = 0; i < found.size(); ++i) found[i] = open_directory(kDirectories[i].path);
  if (::mount("tmpfs", kPlace, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k") != 0) {
    return not_made("mount");
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    // /proc is not covered yet, and leads below what covers /run.
    const std::string from = fmt::format("/proc/self/fd/{}", found[i].get());
    const std::string to = kPlace + std::string(kDirectories[i].path);
    const unsigned long depth = kDirectories[i].with_mounts_below ? MS_REC : 0;
    if (::mkdir(to.c_str(), 0755) != 0 ||
        ::mount(from.c_str(), to.c_str(), nullptr, MS_BIND | depth, nullptr) != 0) {
      return not_made("fill");
    }
  }
  constexpr unsigned long kReadOnly =
      MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV;
  if (::mount(nullptr, kPlace, nullptr, kReadOnly, nullptr) != 0) return not_made("close");
  Made out{open_directory(kPlace),
           FileDescriptor(::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC))};
  if (!out.root.valid() || !out.mounts.valid()) return not_made("open");
  return out;
}

Result<void> change_root(const FileDescriptor& to) {
  if (::fchdir(to.get()) != 0 || ::chroot(".") != 0) return not_made("change to");
  return {};
}

}  // namespace

Result<std::unique_ptr<MemoryRoot>> MemoryRoot::make() {
  if (auto fine = check_in_memory(); !fine) return failure_of(fine);
  std::unique_ptr<MemoryRoot> out(new MemoryRoot());
  out->former_ = open_directory("/");
  if (!out->former_.valid()) return not_made("open / before");
  // A namespace is the calling thread's; the descriptors are the process's.
  std::optional<Result<Made>> made;
  std::thread([&made] { made.emplace(make_in_this_thread()); }).join();
  if (!*made) return failure_of(*made);
  out->root_ = std::move((*made)->root);
  out->namespace_ = std::move((*made)->mounts);
  return out;
}

MemoryRoot::~MemoryRoot() {
  (void)leave();
}

Result<void> MemoryRoot::enter() {
  if (is_entered_) return {};
  auto done = change_root(root_);
  is_entered_ = done.has_value();
  return done;
}

Result<void> MemoryRoot::leave() {
  if (!is_entered_) return {};
  auto done = change_root(former_);
  if (done) is_entered_ = false;
  return done;
}

}  // namespace dmremap::os
