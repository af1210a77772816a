// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/sealed_memory.hpp"

#include <cstdio>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/spawn.hpp"

namespace dmremap::os {
namespace {

std::vector<std::byte> bytes(std::size_t count) {
  std::vector<std::byte> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::byte>(i * 7 / 3);
  return out;
}

FileDescriptor memory_of(off_t size, unsigned flags, int seals) {
  FileDescriptor file(::memfd_create("test", MFD_CLOEXEC | flags));
  EXPECT_EQ(::ftruncate(file.get(), size), 0);
  if (seals != 0) {
    EXPECT_EQ(::fcntl(file.get(), F_ADD_SEALS, seals), 0);
  }
  return file;
}

TEST(SealedMemory, WhatWasSealedIsReadAndCannotBeChanged) {
  const auto data = bytes(100'000);
  const auto sealed = seal(data);
  ASSERT_TRUE(sealed) << sealed.error().message();
  EXPECT_EQ(::pwrite(sealed->get(), "x", 1, 0), -1);
  EXPECT_EQ(::ftruncate(sealed->get(), 1), -1);
  const auto got = read_sealed(sealed->get(), data.size());
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(*got, data);
  EXPECT_TRUE(read_sealed(seal({})->get(), 0));
}

TEST(SealedMemory, AnotherSizeIsAnError) {
  const auto sealed = seal(bytes(512));
  EXPECT_EQ(read_sealed(sealed->get(), 511).error().code, ErrorCode::protocol);
  EXPECT_EQ(read_sealed(sealed->get(), 513).error().code, ErrorCode::protocol);
}

TEST(SealedMemory, WhatCanStillShrinkOrBeWrittenIsAnError) {
  for (const int seals : {0, F_SEAL_SHRINK, F_SEAL_WRITE, F_SEAL_GROW | F_SEAL_WRITE}) {
    const FileDescriptor file = memory_of(512, MFD_ALLOW_SEALING, seals);
    EXPECT_EQ(read_sealed(file.get(), 512).error().code, ErrorCode::protocol) << seals;
  }
  EXPECT_FALSE(read_sealed(memory_of(512, 0, 0).get(), 512));
  EXPECT_TRUE(
      read_sealed(memory_of(512, MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_WRITE).get(), 512));
}

TEST(SealedMemory, WhatIsNoFileInMemoryIsNotReadAtAll) {
  const auto pipe = make_pipe();  // a read of it would never end
  EXPECT_EQ(read_sealed(pipe->reading.get(), 512).error().code, ErrorCode::protocol);
  const FileDescriptor zeros(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(read_sealed(zeros.get(), 0).error().code, ErrorCode::protocol);
  std::FILE* const plain = std::tmpfile();
  ASSERT_NE(plain, nullptr);
  EXPECT_EQ(read_sealed(::fileno(plain), 0).error().code, ErrorCode::protocol);
  std::fclose(plain);
  EXPECT_EQ(read_sealed(-1, 0).error().code, ErrorCode::protocol);
}

}  // namespace
}  // namespace dmremap::os
