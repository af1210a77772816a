// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/aligned_buffer.hpp"

#include <cstring>

#include "base/units.hpp"

namespace dmremap {

AlignedBuffer::AlignedBuffer(std::size_t bytes) : size_(bytes) {
  void* memory = std::aligned_alloc(kAlignment, align_up(bytes == 0 ? 1 : bytes, kAlignment));
  DMREMAP_ASSERT(memory != nullptr);
  std::memset(memory, 0, align_up(bytes == 0 ? 1 : bytes, kAlignment));
  data_.reset(static_cast<std::byte*>(memory));
}

}  // namespace dmremap
