// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/sim_device.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace dmremap::sim {
namespace {

constexpr io::Geometry kSmall{{64}, 512, 512};

std::vector<std::byte> sectors(std::size_t count, int fill) {
  return std::vector<std::byte>(count * kSectorBytes, static_cast<std::byte>(fill));
}

int first_byte(const SimDevice& device, std::uint64_t sector) {
  return std::to_integer<int>(device.contents()[sector * kSectorBytes]);
}

bool keep_all(const Request& /*write*/, Sector /*sector*/) {
  return true;
}

bool keep_none(const Request& /*write*/, Sector /*sector*/) {
  return false;
}

TEST(SimDevice, ReadsWhatWasWritten) {
  SimDevice device(kSmall);
  ASSERT_TRUE(device.write({3}, sectors(2, 7)).ok());
  auto out = sectors(4, 1);
  ASSERT_TRUE(device.read({2}, out).ok());
  EXPECT_EQ(std::to_integer<int>(out[511]), 0);
  EXPECT_EQ(std::to_integer<int>(out[512]), 7);
  EXPECT_EQ(std::to_integer<int>(out[1536]), 0);
}

TEST(SimDevice, RefusesWhatDoesNotFit) {
  SimDevice device({{64}, 4096, 4096});
  auto out = sectors(8, 0);
  EXPECT_EQ(device.read({4}, out).error, EINVAL);
  EXPECT_EQ(device.read({64}, out).error, EINVAL);
  EXPECT_EQ(device.write({0}, sectors(1, 0)).error, EINVAL);
  EXPECT_EQ(device.read({~std::uint64_t{7}}, out).error, EINVAL);
  EXPECT_EQ(device.steps(), 0U);
}

TEST(SimDevice, PowerCutLosesUnflushedWritesAndKeepsFlushedOnes) {
  SimDevice device(kSmall);
  ASSERT_TRUE(device.write({0}, sectors(1, 1)).ok());
  ASSERT_TRUE(device.flush().ok());
  ASSERT_TRUE(device.write({0}, sectors(1, 2)).ok());
  EXPECT_EQ(device.unflushed_writes(), 1U);
  device.power_cut(keep_none);
  EXPECT_EQ(first_byte(device, 0), 1);
  EXPECT_EQ(device.unflushed_writes(), 0U);
}

TEST(SimDevice, PowerCutMayTearAWriteAndKeepAnOlderOneOfASector) {
  SimDevice device(kSmall);
  ASSERT_TRUE(device.write({0}, sectors(2, 1)).ok());
  ASSERT_TRUE(device.write({0}, sectors(2, 2)).ok());
  device.power_cut(
      [](const Request& write, Sector sector) { return write.step == 0 || sector.value == 1; });
  EXPECT_EQ(first_byte(device, 0), 1);
  EXPECT_EQ(first_byte(device, 1), 2);
}

TEST(SimDevice, AFlushThatFailsIsFinalForWhatItCovered) {
  SimDevice device(kSmall);
  ASSERT_TRUE(device.write({0}, sectors(1, 1)).ok());
  device.set_hook(
      [](const Request& r) { return io::IoStatus{r.kind == Request::Kind::flush ? EIO : 0}; });
  EXPECT_EQ(device.flush().error, EIO);
  device.set_hook({});
  ASSERT_TRUE(device.flush().ok());
  EXPECT_EQ(first_byte(device, 0), 1);
  device.power_cut(keep_none);
  EXPECT_EQ(first_byte(device, 0), 0);
}

TEST(SimDevice, AFlushedWriteIsNeverUndoneByAnOlderOneWhoseFlushFailed) {
  SimDevice device(kSmall);
  ASSERT_TRUE(device.write({0}, sectors(2, 1)).ok());
  device.set_hook(
      [](const Request& r) { return io::IoStatus{r.kind == Request::Kind::flush ? EIO : 0}; });
  EXPECT_FALSE(device.flush().ok());
  device.set_hook({});
  ASSERT_TRUE(device.write({0}, sectors(1, 2)).ok());
  ASSERT_TRUE(device.flush().ok());
  device.power_cut(keep_all);
  EXPECT_EQ(first_byte(device, 0), 2);
  EXPECT_EQ(first_byte(device, 1), 1);
}

TEST(SimDevice, FaultsFailWholeRequestsAndChangeNothing) {
  SimDevice device(kSmall);
  device.fail_reads({{5}, {1}}, ENODATA);
  device.fail_writes({{6}, {1}}, EIO);
  auto out = sectors(2, 0);
  EXPECT_EQ(device.read({4}, out).error, ENODATA);
  EXPECT_TRUE(device.read({6}, out).ok());
  EXPECT_EQ(device.write({6}, sectors(2, 9)).error, EIO);
  EXPECT_EQ(device.write_zeroes({{6}, {1}}).error, EIO);
  EXPECT_TRUE(device.discard({{6}, {1}}).ok());
  EXPECT_EQ(first_byte(device, 7), 0);
  EXPECT_EQ(device.counters().read_errors, 1U);
  EXPECT_EQ(device.counters().write_errors, 2U);
  device.clear_faults();
  EXPECT_TRUE(device.read({4}, out).ok());
}

TEST(SimDevice, ASpoiledSectorReadsAgainOnceItIsWritten) {
  SimDevice device(kSmall);
  device.spoil({{5}, {2}}, ENODATA);
  device.clear_faults();
  auto out = sectors(8, 0);
  EXPECT_EQ(device.read({0}, out).error, ENODATA);
  EXPECT_TRUE(device.read({7}, std::span(out).first(512)).ok());
  ASSERT_TRUE(device.write({5}, sectors(1, 3)).ok());
  EXPECT_TRUE(device.read({5}, std::span(out).first(512)).ok());
  EXPECT_EQ(device.read({5}, std::span(out).first(1024)).error, ENODATA);
}

TEST(SimDevice, AWriteMayLandElsewhereOrNowhere) {
  SimDevice device(kSmall);
  device.set_landing([](const Request& write) -> std::optional<Sector> {
    return write.range.first.value == 1 ? std::optional(Sector{2}) : std::nullopt;
  });
  EXPECT_TRUE(device.write({1}, sectors(1, 1)).ok());
  EXPECT_TRUE(device.write({9}, sectors(1, 9)).ok());
  EXPECT_EQ(first_byte(device, 1), 0);
  EXPECT_EQ(first_byte(device, 2), 1);
  EXPECT_EQ(first_byte(device, 9), 0);
}

TEST(SimDevice, AHookStopsTheWorldBeforeTheRequestChangesAnything) {
  SimDevice device(kSmall);
  device.set_hook([](const Request& r) -> io::IoStatus {
    if (r.step == 1) throw PowerCut{};
    return io::kIoOk;
  });
  ASSERT_TRUE(device.write({0}, sectors(1, 1)).ok());
  EXPECT_THROW((void)device.write({1}, sectors(1, 1)), PowerCut);
  device.power_cut(keep_all);
  EXPECT_EQ(first_byte(device, 0), 1);
  EXPECT_EQ(first_byte(device, 1), 0);
}

TEST(SimDevice, APokeIsDurableAtOnce) {
  SimDevice device(kSmall);
  ASSERT_TRUE(device.write({0}, sectors(1, 1)).ok());
  device.poke({0}, sectors(1, 2));
  EXPECT_EQ(first_byte(device, 0), 2);
  device.power_cut(keep_all);
  EXPECT_EQ(first_byte(device, 0), 2);
}

}  // namespace
}  // namespace dmremap::sim
