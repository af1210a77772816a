// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/packet_socket.hpp"

#include <cstdint>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/shared_memory.hpp"

namespace dmremap::os {
namespace {

class PacketSocketTest : public testing::Test {
 protected:
  PacketSocketTest() { sockets = std::move(*make_packet_sockets()); }

  PacketSockets sockets;
};

TEST_F(PacketSocketTest, AMessageArrivesWholeWithItsDescriptors) {
  auto memory = SharedMemory::make(8192);
  ASSERT_TRUE(memory);
  memory->span()[5000] = std::byte{7};
  const std::array<int, 2> fds{memory->fd(), sockets.ours.get()};
  ASSERT_TRUE(send_message(sockets.ours.get(), std::uint64_t{42}, fds));
  std::uint64_t got = 0;
  PassedDescriptors passed;
  ASSERT_TRUE(receive_message(sockets.theirs.get(), got, &passed));
  EXPECT_EQ(got, 42U);
  auto adopted = SharedMemory::adopt(std::move(passed[0]), 8192);
  ASSERT_TRUE(adopted) << adopted.error().message();
  EXPECT_EQ(adopted->span()[5000], std::byte{7});
  adopted->span()[0] = std::byte{9};
  EXPECT_EQ(memory->span()[0], std::byte{9});
  EXPECT_NE(::fcntl(passed[1].get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(PacketSocketTest, AMessageOfAnotherSizeIsNone) {
  std::uint64_t got = 0;
  ASSERT_TRUE(send_message(sockets.ours.get(), std::uint32_t{1}));
  EXPECT_FALSE(receive_message(sockets.theirs.get(), got));
  ASSERT_TRUE(send_message(sockets.ours.get(), std::array<std::uint64_t, 2>{}));
  EXPECT_FALSE(receive_message(sockets.theirs.get(), got));
}

TEST_F(PacketSocketTest, DescriptorsThatNobodyAskedForAreClosed) {
  auto pipe = make_packet_sockets();
  ASSERT_TRUE(send_message(sockets.ours.get(), std::uint64_t{1}, std::array{pipe->theirs.get()}));
  pipe->theirs.reset();
  std::uint64_t got = 0;
  ASSERT_TRUE(receive_message(sockets.theirs.get(), got));
  EXPECT_FALSE(receive_message(pipe->ours.get(), got));  // nobody has the other end
}

TEST_F(PacketSocketTest, TheEndOfTheOtherSideIsSeenByBoth) {
  sockets.theirs.reset();
  std::uint64_t got = 0;
  EXPECT_FALSE(receive_message(sockets.ours.get(), got));
  EXPECT_FALSE(send_message(sockets.ours.get(), got));
}

TEST_F(PacketSocketTest, ASenderNeverWaitsForOneWhoDoesNotRead) {
  int sent = 0;
  while (sent < 100'000 && send_message(sockets.ours.get(), std::uint64_t{1})) ++sent;
  EXPECT_LT(sent, 100'000);
}

TEST(SharedMemoryTest, ItsSizeIsSealed) {
  const auto memory = SharedMemory::make(4096);
  ASSERT_TRUE(memory);
  EXPECT_NE(::ftruncate(memory->fd(), 0), 0);
  EXPECT_NE(::ftruncate(memory->fd(), 8192), 0);
}

TEST(SharedMemoryTest, WhatCouldBeCutShortIsNotAdopted) {
  FileDescriptor fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(fd.get(), 4096), 0);
  EXPECT_FALSE(SharedMemory::adopt(FileDescriptor(::dup(fd.get())), 4096));
  ASSERT_EQ(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
  EXPECT_FALSE(SharedMemory::adopt(FileDescriptor(::dup(fd.get())), 8192));
  EXPECT_TRUE(SharedMemory::adopt(FileDescriptor(::dup(fd.get())), 4096));
  EXPECT_FALSE(SharedMemory::adopt(FileDescriptor(::open("/dev/null", O_RDWR)), 4096));
}

}  // namespace
}  // namespace dmremap::os
