// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/shared_memory.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace dmremap::os {

namespace {

constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;

}  // namespace

Result<SharedMemory> SharedMemory::make(std::size_t bytes) {
  FileDescriptor fd(::memfd_create("dm-remap", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return fail_errno(errno, "make a file in memory", {});
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, kSizeSeals | F_SEAL_SEAL) != 0) {
    return fail_errno(errno, "make shared memory", {});
  }
  return map(std::move(fd), bytes);
}

Result<SharedMemory> SharedMemory::adopt(FileDescriptor fd, std::size_t bytes) {
  // Fails for anything but a file in memory.
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  struct stat facts {};
  if (seals < 0 || (seals & kSizeSeals) != kSizeSeals || ::fstat(fd.get(), &facts) != 0 ||
      facts.st_size != static_cast<off_t>(bytes)) {
    return fail(ErrorCode::protocol, "is no shared memory of the size that was told");
  }
  return map(std::move(fd), bytes);
}

Result<SharedMemory> SharedMemory::map(FileDescriptor fd, std::size_t bytes) {
  // The pages are made now: a request must not wait for memory (promise 11).
  void* const at =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
  if (at == MAP_FAILED) return fail_errno(errno, "map shared memory", {});
  return SharedMemory(std::move(fd), {static_cast<std::byte*>(at), bytes});
}

SharedMemory::~SharedMemory() {
  if (!span_.empty()) ::munmap(span_.data(), span_.size());
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : fd_(std::move(other.fd_)), span_(std::exchange(other.span_, {})) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  if (this != &other) {
    fd_ = std::move(other.fd_);
    std::swap(span_, other.span_);
  }
  return *this;
}

}  // namespace dmremap::os
