// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/breaker.hpp"

#include <cerrno>

#include <gtest/gtest.h>

#include "remap/device/flush_gate.hpp"
#include "remap/device/probe.hpp"
#include "sim/sim_device.hpp"

namespace dmremap::remap {
namespace {

constexpr io::Geometry kDisk{{80'000}, 512, 4096};
constexpr auto kAny = [](SectorRange) { return true; };

TEST(Breaker, OnlyMediaErrorsRemap) {
  using io::Fault;
  for (const int error : {ENODATA, EILSEQ}) EXPECT_EQ(io::classify(error), Fault::media);
  for (const int error : {ENODEV, ENXIO, ENOLINK, ETIMEDOUT}) {
    EXPECT_EQ(io::classify(error), Fault::device);
  }
  EXPECT_EQ(io::classify(EIO), Fault::unknown);
  for (const int error : {EINVAL, EROFS, ENOSPC, EOPNOTSUPP}) {
    const Fault fault = io::classify(error);
    EXPECT_FALSE(io::may_be_the_sector(fault) || fault == Fault::device) << error;
  }
}

TEST(Breaker, ADeviceOfWhichMostUnitsReadIsThere) {
  sim::SimDevice device(kDisk);
  Probe probe(device, spread(kDisk.size, kDisk.unit(), 8), kAny, system_scheduling());
  device.fail_reads({{0}, {25'000}}, EIO);
  EXPECT_TRUE(probe.alive(device, kAny));
}

TEST(Breaker, ADeviceOfWhichMostUnitsFailIsGone) {
  sim::SimDevice device(kDisk);
  Probe probe(device, spread(kDisk.size, kDisk.unit(), 8), kAny, system_scheduling());
  device.fail_reads({{0}, {60'000}}, EIO);
  EXPECT_FALSE(probe.alive(device, kAny));
}

TEST(Breaker, UnitsThatWereBadAtTheStartSayNothing) {
  sim::SimDevice device(kDisk);
  device.fail_reads({{0}, {60'000}}, EIO);
  Probe probe(device, spread(kDisk.size, kDisk.unit(), 8), kAny, system_scheduling());
  EXPECT_TRUE(probe.alive(device, kAny));
}

TEST(Breaker, WithNothingToGoByADeviceThatFailsIsGone) {
  sim::SimDevice device(kDisk);
  device.fail_reads({{0}, kDisk.size}, EIO);
  Probe probe(device, spread(kDisk.size, kDisk.unit(), 8), kAny, system_scheduling());
  EXPECT_FALSE(probe.alive(device, kAny));
}

// A disk of which most is elsewhere by now: what is left of it is asked.
TEST(Breaker, UnitsThatAreElsewhereAreReplacedByOthers) {
  sim::SimDevice device(kDisk);
  Probe probe(device, spread(kDisk.size, kDisk.unit(), 8), kAny, system_scheduling());
  const SectorRange left{{40'000}, {4'000}};
  const auto usable = [&](SectorRange unit) { return left.contains(unit.first); };
  device.fail_reads({{0}, left.first - Sector{0}}, EIO);
  EXPECT_TRUE(probe.alive(device, usable));
  device.fail_reads({{0}, kDisk.size}, EIO);
  EXPECT_FALSE(probe.alive(device, usable));
}

TEST(Breaker, AnEarlierProbeIsNeverTrusted) {
  sim::SimDevice device(kDisk);
  Probe probe(device, spread(kDisk.size, kDisk.unit(), 8), kAny, system_scheduling());
  EXPECT_TRUE(probe.alive(device, kAny));
  device.fail_reads({{0}, kDisk.size}, EIO);
  EXPECT_FALSE(probe.alive(device, kAny));
}

TEST(Breaker, ProbesAreSpreadOverTheWholeDeviceAndFitATinyOne) {
  const auto units = spread({80'000}, {8}, 8);
  ASSERT_EQ(units.size(), 8U);
  EXPECT_LT(units.front().value, 10'000U);
  EXPECT_GT(units.back().value, 70'000U);
  EXPECT_EQ(spread({16}, {8}, 8).size(), 2U);
}

TEST(FlushGate, AFailureIsFinalForWhatItCoveredWhoeverAsked) {
  FlushGate gate(system_scheduling());
  int answer = 0;
  const auto device = [&]() -> io::IoStatus { return {answer}; };
  const auto mark = gate.mark();
  answer = EIO;
  const auto failed = gate.user_flush(gate.reported(), false, device);
  EXPECT_EQ(failed.status.error, EIO);
  answer = 0;
  // The remapper's data was covered by the flush that failed.
  EXPECT_EQ(gate.flush_since(mark, device).error, EIO);
  EXPECT_TRUE(gate.flush_since(gate.mark(), device).ok());
  // Until somebody was told, nobody hears that all is well.
  EXPECT_EQ(gate.user_flush(gate.reported(), false, device).status.error, EIO);
  gate.told(failed.failures);
  EXPECT_TRUE(gate.user_flush(gate.reported(), false, device).status.ok());
}

TEST(FlushGate, AUserLearnsOfAFailureThatSomeoneElseMet) {
  FlushGate gate(system_scheduling());
  int answer = EIO;
  const auto device = [&]() -> io::IoStatus { return {answer}; };
  EXPECT_FALSE(gate.flush_since(gate.mark(), device).ok());
  answer = 0;
  const auto told = gate.user_flush(gate.reported(), true, device);
  EXPECT_EQ(told.status.error, EIO);
  gate.told(told.failures);
  EXPECT_TRUE(gate.user_flush(gate.reported(), true, device).status.ok());
}

TEST(FlushGate, ASpareThatWasNotWrittenIsNotFlushed) {
  FlushGate gate(system_scheduling());
  int flushes = 0;
  const auto device = [&]() -> io::IoStatus {
    ++flushes;
    return io::kIoOk;
  };
  EXPECT_TRUE(gate.user_flush(gate.reported(), true, device).status.ok());
  EXPECT_EQ(flushes, 0);
  gate.written();
  EXPECT_TRUE(gate.user_flush(gate.reported(), true, device).status.ok());
  EXPECT_TRUE(gate.user_flush(gate.reported(), true, device).status.ok());
  EXPECT_EQ(flushes, 1);
}

}  // namespace
}  // namespace dmremap::remap
