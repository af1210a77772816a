// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/descriptor_io.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"

namespace dmremap::os {

Result<void> write_all(int fd, std::string_view bytes, const std::string& where) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "write it", where);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

std::string read_to_end(int fd) {
  std::string text;
  while (true) {
    std::array<char, 4096> chunk;
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

void redirect(const char* path, int flags, int target) {
  const FileDescriptor fd(::open(path, flags | O_CLOEXEC, 0600));
  if (fd.valid()) ::dup2(fd.get(), target);
}

}  // namespace dmremap::os
