// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/replace_file.hpp"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"

namespace dmremap::set {

namespace {

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "write it", path);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> replace(const std::string& path, std::string_view bytes, mode_t mode) {
  std::string draft = path + ".XXXXXX";
  const FileDescriptor file(::mkostemp(draft.data(), O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "create a file beside it", path);
  auto done = write_all(file.get(), bytes, path);
  if (done && (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0 ||
               ::rename(draft.c_str(), path.c_str()) != 0)) {
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
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) {
    if (errno != ENOENT) return fail_errno(errno, "write it", path);
    return replace(path, bytes, mode_of_files());
  }
  if (S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode)) {
    return fail(ErrorCode::usage, "is no file that could be written", path,
                "give the path of a file");
  }
  const int access = S_ISREG(st.st_mode) ? O_RDWR : O_WRONLY;
  const FileDescriptor file(::open(path.c_str(), access | O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "open it", path);
  if (!S_ISREG(st.st_mode)) return write_all(file.get(), bytes, path);
  std::error_code error;
  const auto real = std::filesystem::canonical(path, error);
  if (error) return fail_errno(error.value(), "write it", path);
  return replace(real.string(), bytes, st.st_mode & 07777);
}

}  // namespace dmremap::set
