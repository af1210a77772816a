// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/nbd/nbd_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/nbd/clients.hpp"
#include "frontend/nbd/listening_socket.hpp"
#include "tests/fuse/ram_disk.hpp"

namespace dmremap::nbd {
namespace {

constexpr std::uint64_t kDiskBytes = 4 * kMiB;
constexpr ZeroOptions kMayTrim{.may_trim = true, .fast = false, .fua = false};
constexpr ZeroOptions kFast{.may_trim = true, .fast = true, .fua = false};

// A disk with blocks of the parameter's size, holding the pattern byte = offset mod 251.
class NbdDiskTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  NbdDiskTest() {
    for (std::size_t i = 0; i < kDiskBytes; ++i) engine.bytes()[i] = std::byte(i % 251);
    model.assign(engine.bytes().begin(), engine.bytes().end());
  }
  [[nodiscard]] bool is_as_modelled() { return std::ranges::equal(engine.bytes(), model); }

  std::uint32_t unit = GetParam();
  fuse::RamDisk engine{{.size = SectorCount::from_bytes(kDiskBytes),
                        .logical_block_bytes = unit,
                        .physical_block_bytes = std::max(unit, 4096U)}};
  NbdDisk disk{engine, true};
  remap::FlushHeard heard;
  std::vector<std::byte> model;
};

INSTANTIATE_TEST_SUITE_P(Block, NbdDiskTest, testing::Values(512U, 4096U, 65536U));

TEST_P(NbdDiskTest, AnyOffsetAndLengthBehavesAsAFileOfBytes) {
  std::mt19937_64 random(unit);
  for (int round = 0; round < 1500; ++round) {
    const std::uint64_t offset = random() % kDiskBytes;
    const std::size_t longest = round % 20 == 0 ? 2 * kMiB : std::size_t{3} * unit;
    const std::size_t length = std::min<std::size_t>(1 + random() % longest, kDiskBytes - offset);
    std::vector<std::byte> data(length);
    switch (random() % 4) {
      case 0:
        ASSERT_EQ(disk.read(offset, data), 0);
        ASSERT_TRUE(std::equal(data.begin(), data.end(), model.data() + offset));
        break;
      case 1:
        for (auto& byte : data) byte = static_cast<std::byte>(random());
        std::ranges::copy(data, model.data() + offset);
        ASSERT_EQ(disk.write(offset, data, false), 0);
        break;
      case 2:
        std::fill_n(model.data() + offset, length, std::byte{0});
        ASSERT_EQ(disk.zero(offset, length, kMayTrim, heard), 0);
        break;
      default:
        ASSERT_EQ(disk.trim(offset, length, false, heard), 0);  // keeps what is there, in memory
    }
  }
  EXPECT_TRUE(is_as_modelled());
}

TEST_P(NbdDiskTest, WholeBlocksOfAnyLengthAreOneRequestInTheClientsMemory) {
  std::vector<std::byte> data(2 * kMiB);
  EXPECT_EQ(disk.read(unit, data), 0);
  EXPECT_EQ(disk.write(unit, data, true), 0);
  EXPECT_EQ(engine.counts().reads, 1U);
  EXPECT_EQ(engine.counts().writes, 1U);
  EXPECT_EQ(engine.fua_writes(), 1U);
}

TEST_P(NbdDiskTest, AnyErrorIsEio) {
  std::vector<std::byte> data(unit);
  engine.change_faults([&](auto& faults) {
    faults.read = faults.write = {{{0}, {unit / 512}}};  // ENODATA
    faults.write_error = EROFS;
    faults.flush_error = ENODEV;
  });
  EXPECT_EQ(disk.read(0, data), EIO);
  EXPECT_EQ(disk.read(1, std::span(data).first(3)), EIO);
  EXPECT_EQ(disk.write(0, data, false), EIO);
  EXPECT_EQ(disk.write(1, std::span(data).first(3), false), EIO);
  EXPECT_EQ(disk.zero(0, unit, kMayTrim, heard), EIO);
  EXPECT_EQ(disk.flush(heard), EIO);
  EXPECT_EQ(disk.trim(kMiB, kMiB, true, heard), EIO);
  EXPECT_TRUE(is_as_modelled());
}

TEST_P(NbdDiskTest, AZeroThatMayNotTrimIsLeftToWrites) {
  EXPECT_EQ(disk.zero(0, kMiB, {}, heard), EOPNOTSUPP);
  EXPECT_EQ(engine.zeroings(), 0U);
}

TEST_P(NbdDiskTest, AZeroOverALostSectorIsLeftToWritesAndChangesNothing) {
  engine.change_faults([](auto& faults) { faults.lost = {{{1024}, {1}}}; });
  EXPECT_EQ(disk.zero(100, kMiB, kMayTrim, heard), EOPNOTSUPP);
  EXPECT_EQ(disk.zero(0, kMiB, kFast, heard), EOPNOTSUPP);
  EXPECT_TRUE(is_as_modelled());
}

TEST_P(NbdDiskTest, AFastZeroIsRefusedWhereItWouldBeAsSlowAsAWrite) {
  NbdDisk slow(engine, false);
  EXPECT_EQ(slow.zero(0, kMiB, kFast, heard), EOPNOTSUPP);
  EXPECT_EQ(engine.zeroings(), 0U);
  EXPECT_EQ(slow.zero(0, kMiB, kMayTrim, heard), 0);
  EXPECT_EQ(disk.zero(kMiB, kMiB, kFast, heard), 0);
}

TEST_P(NbdDiskTest, FuaOfAZeroOrTrimIsAFlush) {
  EXPECT_EQ(disk.zero(0, kMiB, {.may_trim = true, .fast = false, .fua = true}, heard), 0);
  EXPECT_EQ(engine.counts().flushes, 1U);
  EXPECT_EQ(disk.trim(0, kMiB, true, heard), 0);
  EXPECT_EQ(engine.counts().flushes, 2U);
}

TEST_P(NbdDiskTest, BlockSizesAreMains) {
  const auto sizes = disk.block_sizes();
  EXPECT_EQ(sizes.minimum, unit);
  EXPECT_EQ(sizes.preferred, std::max(unit, 4096U));
  EXPECT_EQ(sizes.maximum % unit, 0U);
}

constexpr std::chrono::milliseconds kNow{0};

TEST(ClientsTest, NobodyIsCutOffAndNobodyEntersAfterTheClose) {
  Clients clients;
  ConnectedClient* one = clients.enter(1);
  ConnectedClient* other = clients.enter(0);
  ASSERT_NE(one, nullptr);
  EXPECT_FALSE(clients.close(kNow));
  EXPECT_EQ(clients.names().size(), 2U);
  clients.leave(one);
  EXPECT_EQ(clients.names(), std::vector<std::string>{"a client elsewhere"});
  clients.leave(other);
  EXPECT_TRUE(clients.close(kNow));
  EXPECT_EQ(clients.enter(1), nullptr);
}

TEST(ListeningTest, TheUriOfASocketEscapesWhatAUriGivesAMeaningTo) {
  EXPECT_EQ(unix_uri("/run/dm remap/a&b%.nbd"), "nbd+unix:///?socket=/run/dm%20remap/a%26b%25.nbd");
}

}  // namespace
}  // namespace dmremap::nbd
