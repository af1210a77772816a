// SPDX-License-Identifier: GPL-2.0-or-later
// Memory that two processes share, as a file in memory (memfd_create(2)) of which one sends the
// other the descriptor. The maker seals its size, so that the other process cannot cut it short: a
// touch of memory that is gone would kill the maker (SIGBUS).
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

// Mapped for reading and writing, and begins with a page, as O_DIRECT wants it. Movable.
class SharedMemory {
 public:
  // Memory of zeros. `fd()` is for the other process.
  [[nodiscard]] static Result<SharedMemory> make(std::size_t bytes);
  // Memory that another process made, of which it must have sealed the size. Error protocol if
  // that is not so.
  [[nodiscard]] static Result<SharedMemory> adopt(FileDescriptor fd, std::size_t bytes);

  SharedMemory() = default;
  ~SharedMemory();
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;

  [[nodiscard]] std::span<std::byte> span() const { return span_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Gives the descriptor away; the memory stays.
  [[nodiscard]] FileDescriptor take_fd() { return std::move(fd_); }

 private:
  SharedMemory(FileDescriptor fd, std::span<std::byte> span) : fd_(std::move(fd)), span_(span) {}

  static Result<SharedMemory> map(FileDescriptor fd, std::size_t bytes);

  FileDescriptor fd_;
  std::span<std::byte> span_;
};

}  // namespace dmremap::os
