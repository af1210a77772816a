// SPDX-License-Identifier: GPL-2.0-or-later
// Memory of this process beside its heap.
#pragma once

#include <cstddef>
#include <span>

namespace dmremap::os {

// Zeroed, whole pages, locked if the process locks its memory, and given back to the system at the
// end. Throws std::bad_alloc if there is none.
class MemoryMapping {
 public:
  explicit MemoryMapping(std::size_t bytes);
  ~MemoryMapping();
  MemoryMapping(const MemoryMapping&) = delete;
  MemoryMapping& operator=(const MemoryMapping&) = delete;

  [[nodiscard]] std::span<std::byte> span() { return {data_, bytes_}; }

 private:
  std::byte* data_;
  std::size_t bytes_;
};

}  // namespace dmremap::os
