// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/replace_file.hpp"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "os/descriptor_io.hpp"
#include "os/trusted_directory.hpp"

namespace dmremap::io {

namespace {

namespace fs = std::filesystem;

// The place of a file that exists or is to be made: a name in a directory that is held open.
// Symbolic links have been followed, except those of procfs (/dev/stdout leads to one), which only
// the kernel can follow.
struct FilePlace {
  os::TrustedDirectory directory;
  std::string name;
  bool is_kernel_link = false;

  [[nodiscard]] std::string path() const { return directory.entry(name); }
};

bool is_in_procfs(const os::TrustedDirectory& directory) {
  struct statfs where {};
  return ::fstatfs(directory.fd(), &where) == 0 && where.f_type == PROC_SUPER_MAGIC;
}

// Follows the symbolic links at the end of a path, but none that belongs to another user. Such a
// link could lead from a directory of that user, where a report is wanted, to any file of the
// system.
Result<FilePlace> find_place(const std::string& path) {
  std::string at = path;
  for (int links = 0; links < 40; ++links) {
    auto directory = os::TrustedDirectory::open_parent_of(at, os::PathTrust::no_foreign_links);
    if (!directory) return failure_of(directory);
    const fs::path name = fs::path(at).filename();
    struct stat st {};
    const bool is_there = ::fstatat(directory->fd(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_there || !S_ISLNK(st.st_mode)) return FilePlace{std::move(*directory), name.string()};
    if (st.st_uid != 0 && st.st_uid != ::geteuid()) {
      return fail(ErrorCode::permission,
                  fmt::format("is a link that belongs to another user (uid {})", st.st_uid), path,
                  "name the file that it points to");
    }
    struct stat target {};
    const bool is_file =
        ::fstatat(directory->fd(), name.c_str(), &target, 0) == 0 && S_ISREG(target.st_mode);
    if (!is_file && is_in_procfs(*directory)) {
      return FilePlace{std::move(*directory), name.string(), true};
    }
    std::error_code error;
    const fs::path leads_to = fs::read_symlink(directory->entry(name.string()), error);
    if (error) return fail_errno(error.value(), "follow the link", path);
    at = (fs::path(directory->path()) / leads_to).string();
  }
  return fail_errno(ELOOP, "write it", path);
}

Result<void> replace(const FilePlace& place, const std::string& path, std::string_view bytes,
                     mode_t mode) {
  std::string draft = place.path() + ".XXXXXX";
  const FileDescriptor file(::mkostemp(draft.data(), O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "create a file beside it", path);
  auto done = os::write_all(file.get(), bytes, path);
  if (done && (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0 ||
               ::rename(draft.c_str(), place.path().c_str()) != 0)) {
    done = fail_errno(errno, "write it", path);
  }
  if (!done) ::unlink(draft.c_str());
  return done;
}

mode_t mode_of_files() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

}  // namespace

Result<void> write_file(const std::string& path, std::string_view bytes) {
  const auto place = find_place(path);
  if (!place) return failure_of(place);
  const int nofollow = place->is_kernel_link ? 0 : O_NOFOLLOW;
  struct stat st {};
  if (::fstatat(place->directory.fd(), place->name.c_str(), &st,
                place->is_kernel_link ? 0 : AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return fail_errno(errno, "write it", path);
    return replace(*place, path, bytes, mode_of_files());
  }
  if (S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode)) {
    return fail(ErrorCode::usage, "cannot be written to as a file", path,
                "give the path of a file");
  }
  const int access = S_ISREG(st.st_mode) ? O_RDWR : O_WRONLY;
  const FileDescriptor file(::openat(place->directory.fd(), place->name.c_str(),
                                     access | nofollow | O_NOCTTY | O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "open it", path);
  if (S_ISREG(st.st_mode)) return replace(*place, path, bytes, st.st_mode & 07777);
  // The file may have been exchanged since it was checked.
  struct stat opened {};
  if (::fstat(file.get(), &opened) != 0) return fail_errno(errno, "look at", path);
  if ((opened.st_mode & S_IFMT) != (st.st_mode & S_IFMT))
    return fail_errno(EAGAIN, "write it", path);
  return os::write_all(file.get(), bytes, path);
}

}  // namespace dmremap::io
