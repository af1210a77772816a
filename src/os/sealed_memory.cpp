// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/sealed_memory.hpp"

#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/descriptor_io.hpp"

namespace dmremap::os {

Result<FileDescriptor> seal(std::span<const std::byte> data) {
  FileDescriptor file(::memfd_create("dm-remap", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid()) return fail_errno(errno, "make a file in memory", {});
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  if (auto written = write_all(file.get(), text, "a file in memory"); !written) {
    return failure_of(written);
  }
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) {
    return fail_errno(errno, "seal a file in memory", {});
  }
  return file;
}

Result<std::vector<std::byte>> read_sealed(int fd, std::size_t bytes) {
  constexpr int kNeeded = F_SEAL_SHRINK | F_SEAL_WRITE;
  // Fails for anything but a file in memory. A pipe or a file on a disk is not read at all, since
  // reading it may block for ever.
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kNeeded) != kNeeded) {
    return fail(ErrorCode::protocol, "the data is not in a sealed file in memory");
  }
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return fail_errno(errno, "look at the data", {});
  if (facts.st_size != static_cast<off_t>(bytes)) {
    return fail(ErrorCode::protocol,
                fmt::format("the data has {} bytes and not {}", facts.st_size, bytes));
  }
  std::vector<std::byte> data(bytes);
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(fd, data.data() + done, bytes - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read the data", {});
    if (got == 0) return fail(ErrorCode::protocol, "the data ends too early");
    done += static_cast<std::size_t>(got);
  }
  return data;
}

}  // namespace dmremap::os
