// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/fuse/request_memory.hpp"

#include <cstdint>

#include <gtest/gtest.h>

namespace dmremap::fuse {
namespace {

TEST(RequestMemoryTest, TheDataOfAWriteRequestStartsAPage) {
  for (const std::size_t unit : {512U, 4096U, 65536U}) {
    RequestMemory memory(unit);
    const auto* data = memory.request() + kWriteHeaderBytes;
    EXPECT_EQ(data, memory.payload().data());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % AlignedBuffer::kAlignment, 0U);
    const auto edge = memory.scratch().edge;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(edge.data()) % AlignedBuffer::kAlignment, 0U);
    EXPECT_EQ(edge.size(), unit);
    EXPECT_GE(edge.data(), memory.payload().data() + memory.payload().size());
  }
}

}  // namespace
}  // namespace dmremap::fuse
