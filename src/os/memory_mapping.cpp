// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/memory_mapping.hpp"

#include <new>

#include <sys/mman.h>

namespace dmremap::os {

MemoryMapping::MemoryMapping(std::size_t bytes) : bytes_(bytes) {
  // Populated: else a process that may not lock its memory would meet its first requests with page
  // faults.
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(memory);
}

MemoryMapping::~MemoryMapping() {
  ::munmap(data_, bytes_);
}

}  // namespace dmremap::os
