// SPDX-License-Identifier: GPL-2.0-or-later
// The memory of one thread that serves requests: allocated once, so that a request needs none. It
// is a mapping of its own and goes back to the system with the thread, which a heap that is kept
// (os::lock_memory) would not give up.
//
//   base            base + 4096 - headers    base + 4096
//   | unused        | headers of a request   | payload: data of a write or of a read           |
//
// A write's data follows its two headers, so the headers end where a page begins: the data can go
// to the device by O_DIRECT without a copy. A read request has no data and its arguments lie in
// front of the payload, so the payload can take the data that is read.
#pragma once

#include <cstddef>
#include <span>

#include "base/aligned_buffer.hpp"
#include "base/units.hpp"
#include "frontend/byte_disk.hpp"
#include "os/memory_mapping.hpp"

namespace dmremap::fuse {

// The largest read or write that is asked of the kernel (FUSE_INIT: max_write, max_pages).
inline constexpr std::size_t kMaxRequestBytes = std::size_t{1} << 20;
// struct fuse_in_header and struct fuse_write_in; checked against linux/fuse.h where it is
// included.
inline constexpr std::size_t kWriteHeaderBytes = 80;
// libfuse reads with a buffer of max_write and this much more (FUSE_BUFFER_HEADER_SIZE).
inline constexpr std::size_t kHeaderRoomBytes = 4096;

// Not thread-safe; each thread has one.
class RequestMemory {
 public:
  explicit RequestMemory(std::size_t unit_bytes)
      : unit_bytes_(unit_bytes),
        // A request that is not aligned grows by less than a unit at each end.
        request_(edge_offset(unit_bytes) + unit_bytes) {}

  // The place to read a request to; it is kMaxRequestBytes + kHeaderRoomBytes long.
  [[nodiscard]] std::byte* request() { return request_.span().data() + kPage - kWriteHeaderBytes; }
  // Aligned to 4096 bytes; kMaxRequestBytes and two units long.
  [[nodiscard]] std::span<std::byte> payload() {
    return request_.span().subspan(kPage, kMaxRequestBytes + 2 * unit_bytes_);
  }
  [[nodiscard]] frontend::Scratch scratch() {
    return {payload(), request_.span().subspan(edge_offset(unit_bytes_), unit_bytes_)};
  }

 private:
  static constexpr std::size_t kPage = AlignedBuffer::kAlignment;
  static constexpr std::size_t edge_offset(std::size_t unit_bytes) {
    return align_up(kPage + kMaxRequestBytes + kHeaderRoomBytes + 2 * unit_bytes, kPage);
  }

  std::size_t unit_bytes_;
  os::MemoryMapping request_;  // and one unit at a page of its own, for the edge of a request
};

}  // namespace dmremap::fuse
