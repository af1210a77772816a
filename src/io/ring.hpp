// SPDX-License-Identifier: GPL-2.0-or-later
// Does several preads or pwrites at once, through io_uring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

struct io_uring;

namespace dmremap::io {

// Thread-safe: one batch at a time. Kernels and sandboxes may have io_uring switched off; then
// there is none, and the caller goes one by one.
class Ring {
 public:
  struct Transfer {
    std::byte* memory = nullptr;
    std::size_t bytes = 0;  // 0: left out
    std::uint64_t offset = 0;
    // Bytes moved, or minus an errno; kNotDone if the kernel never took it.
    int result = kNotDone;

    [[nodiscard]] bool is_whole() const {
      return bytes != 0 && result >= 0 && static_cast<std::size_t>(result) == bytes;
    }
    // True if the device answered with an error. The ring does not try again.
    [[nodiscard]] bool failed() const;
    [[nodiscard]] int error() const { return -result; }
  };
  static constexpr int kNotDone = -(1 << 20);

  // Null if the kernel offers no io_uring.
  static std::unique_ptr<Ring> create();
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Return when every transfer has its result. `fd` as for pread.
  void read(int fd, std::span<Transfer> transfers);
  void write(int fd, std::span<Transfer> transfers);

 private:
  Ring();
  enum class Direction { read, write };
  void run(int fd, std::span<Transfer> transfers, Direction direction);
  void run_batch(int fd, std::span<Transfer> batch, Direction direction);
  int wait_for_one();

  std::mutex mutex_;
  std::unique_ptr<io_uring> ring_;
  bool made_ = false;
  bool usable_ = false;
};

}  // namespace dmremap::io
