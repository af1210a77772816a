// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/latency_profile.hpp"

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "health/history.hpp"
#include "health/scan_layout.hpp"

namespace dmremap::health {
namespace {

// 16 parts of four segments.
constexpr SectorCount kSize{64 * kScanSegment.value};
constexpr std::uint64_t kPartSectors = 4 * kScanSegment.value;
// A code is an eighth of an octave wide, and what it stands for is in its middle.
constexpr double kCodeError = 0.05;

SectorRange piece_in(std::size_t part, std::uint64_t number = 0) {
  return {{part * kPartSectors + number % 32 * kScanPiece.value}, kScanPiece};
}

void read_part(LatencyProfile& profile, std::size_t part, double us, int reads = 32) {
  for (int i = 0; i < reads; ++i) {
    profile.add(piece_in(part, static_cast<std::uint64_t>(i)), us);
  }
}

void read_disk(LatencyProfile& profile, double us) {
  for (std::size_t part = 0; part < 16; ++part) read_part(profile, part, us);
}

LatencyPart part_of(const LatencyProfile& profile, std::size_t part) {
  return profile.parts().at(part);
}

void expect_us(const std::optional<double>& is, double wanted) {
  ASSERT_TRUE(is);
  EXPECT_NEAR(*is, wanted, wanted * kCodeError);
}

TEST(LatencyProfile, PartsAreEqualAndAreAllOfTheDisk) {
  for (const std::uint64_t sectors :
       {std::uint64_t{1}, std::uint64_t{2'047}, std::uint64_t{32'768}, std::uint64_t{131'072},
        std::uint64_t{3'907'029'168}, std::uint64_t{1} << 40U}) {
    const auto parts = LatencyProfile({sectors}).parts();
    ASSERT_FALSE(parts.empty());
    EXPECT_LE(parts.size(), kLatencyPartsMost);
    std::uint64_t at = 0;
    std::uint64_t least = sectors;
    std::uint64_t most = 0;
    for (const LatencyPart& part : parts) {
      EXPECT_EQ(part.sectors.first.value, at);
      EXPECT_EQ(part.typical_us, std::nullopt);
      EXPECT_EQ(part.slowest_us, std::nullopt);
      at = part.sectors.end().value;
      least = std::min(least, part.sectors.count.value);
      most = std::max(most, part.sectors.count.value);
    }
    EXPECT_EQ(at, sectors);
    EXPECT_LE(most - least, 2 * kScanSegment.value) << "but for whole segments";
  }
  EXPECT_EQ(LatencyProfile({3'907'029'168}).parts().size(), kLatencyPartsMost);
  EXPECT_EQ(LatencyProfile(kSize).parts().size(), 16U);
  EXPECT_TRUE(LatencyProfile().parts().empty());
}

TEST(LatencyProfile, AReadCountsToThePartThatItLiesIn) {
  constexpr SectorCount kUneven{3'907'029'168};
  LatencyProfile profile(kUneven);
  const auto parts = profile.parts();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const double us = 100.0 * static_cast<double>(i + 1);
    const SectorRange first{parts[i].sectors.first, kScanPiece};
    const SectorRange last{parts[i].sectors.end() - SectorCount{8}, {8}};
    for (const SectorRange& read : {first, last, first}) profile.add(read, us);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    expect_us(part_of(profile, i).typical_us, 100.0 * static_cast<double>(i + 1));
  }
}

TEST(LatencyProfile, APartWithFewReadsIsNotReadYet) {
  LatencyProfile profile(kSize);
  read_part(profile, 3, 500, 2);
  EXPECT_EQ(part_of(profile, 3).typical_us, std::nullopt);
  profile.end_pass();
  EXPECT_EQ(part_of(profile, 3).typical_us, std::nullopt);
  read_part(profile, 3, 500, 1);
  expect_us(part_of(profile, 3).typical_us, 500);
  EXPECT_EQ(part_of(profile, 2).typical_us, std::nullopt);
  EXPECT_EQ(part_of(profile, 4).typical_us, std::nullopt);
}

TEST(LatencyProfile, OneReadThatIsHeldUpIsTheSlowestAndNotTypical) {
  for (const int reads : {3, 4, 15, 32, 400}) {
    for (const int held_up : {0, reads / 2, reads - 1}) {
      LatencyProfile profile(kSize);
      for (int i = 0; i < reads; ++i) {
        profile.add(piece_in(5, static_cast<std::uint64_t>(i)), i == held_up ? 2e6 : 300);
      }
      expect_us(part_of(profile, 5).typical_us, 300);
      expect_us(part_of(profile, 5).slowest_us, 2e6);
      profile.end_pass();
      expect_us(part_of(profile, 5).typical_us, 300);
      expect_us(part_of(profile, 5).slowest_us, 2e6);
    }
  }
}

TEST(LatencyProfile, OfALongReadEachPieceHasItsShare) {
  LatencyProfile profile(kSize);
  const SectorRange segment{{0}, kScanSegment};
  for (int i = 0; i < 3; ++i) profile.add(segment, 4'000);
  expect_us(part_of(profile, 0).typical_us, 500);
  expect_us(part_of(profile, 0).slowest_us, 500);
  // What holds up one of its pieces holds up that one alone.
  profile.add(segment, 904'000);
  expect_us(part_of(profile, 0).typical_us, 500);
  expect_us(part_of(profile, 0).slowest_us, 900'000);
}

TEST(LatencyProfile, AnOldPassIsForgotten) {
  LatencyProfile profile(kSize);
  read_disk(profile, 40'000);
  profile.add(piece_in(7), 3e6);
  profile.end_pass();
  expect_us(part_of(profile, 7).typical_us, 40'000);
  // The pass that runs has its say as soon as there is a batch of it.
  read_part(profile, 7, 400);
  expect_us(part_of(profile, 7).typical_us, 400);
  expect_us(part_of(profile, 7).slowest_us, 3e6);
  expect_us(part_of(profile, 8).typical_us, 40'000);
  profile.end_pass();
  expect_us(part_of(profile, 7).slowest_us, 400);
  expect_us(part_of(profile, 8).slowest_us, 40'000);
}

TEST(LatencyProfile, FollowsWhatHoldsForMostOfAPass) {
  LatencyProfile profile(kSize);
  read_part(profile, 0, 40'000, 30);
  read_part(profile, 0, 400, 15 * 30);
  expect_us(part_of(profile, 0).typical_us, 400);
  read_part(profile, 0, 40'000, 15);
  EXPECT_LT(*part_of(profile, 0).typical_us, 4'000) << "one batch does not turn it";
}

TEST(LatencyProfile, ReadsThatAreNotOfTheDiskAreLeftOut) {
  LatencyProfile profile(kSize);
  for (int i = 0; i < 3; ++i) {
    profile.add({{kSize.value}, {8}}, 100);
    profile.add({{kSize.value - 8}, {16}}, 100);
    profile.add({{kSize.value - 8}, {}}, 100);
    profile.add({{0}, {8}}, std::numeric_limits<double>::quiet_NaN());
    profile.add({{~std::uint64_t{0}}, {8}}, 100);
  }
  EXPECT_EQ(profile.parts(), LatencyProfile(kSize).parts());
  for (int i = 0; i < 3; ++i) profile.add({{0}, {8}}, i - 1);
  EXPECT_TRUE(part_of(profile, 0).typical_us) << "a clock may stand still";
  LatencyProfile().add({{0}, {8}}, 100);
}

TEST(LatencyProfile, IsTheSameAfterItWasStored) {
  LatencyProfile profile(kSize);
  read_disk(profile, 40'000);
  profile.end_pass();
  read_part(profile, 2, 700);
  read_part(profile, 3, 70'000, 4);
  profile.add(piece_in(3), 1e6);
  const auto stored = pack_latency_profile(profile);
  EXPECT_LE(stored.size(), kLatencyProfileMaxBytes);
  LatencyProfile later = unpack_latency_profile(stored, kSize);
  EXPECT_EQ(later.parts(), profile.parts());
  EXPECT_EQ(unpack_latency_profile(stored).parts(), profile.parts());
  EXPECT_EQ(pack_latency_profile(later), stored);
  // The pass goes on: what it saw before it was stored counts to it.
  later.end_pass();
  expect_us(part_of(later, 3).slowest_us, 1e6);
  read_part(later, 3, 600);
  expect_us(part_of(later, 3).typical_us, 600);
  later.end_pass();
  expect_us(part_of(later, 3).slowest_us, 600);
}

TEST(LatencyProfile, TheLargestFits) {
  LatencyProfile profile({std::uint64_t{1} << 40U});
  EXPECT_EQ(pack_latency_profile(profile).size(), kLatencyProfileMaxBytes);
}

TEST(LatencyProfile, WhatIsNoneOfThisDiskIsNotReadYet) {
  LatencyProfile profile(kSize);
  read_disk(profile, 400);
  const auto stored = pack_latency_profile(profile);
  const auto expect_fresh = [](const std::vector<std::byte>& bytes, SectorCount size) {
    EXPECT_EQ(unpack_latency_profile(bytes, size).parts(), LatencyProfile(size).parts());
  };
  expect_fresh(stored, {kSize.value + 8});
  expect_fresh(stored, {kSize.value / 2});
  expect_fresh({}, kSize);
  expect_fresh({stored.begin(), stored.end() - 1}, kSize);
  for (const std::size_t at : {0U, 1U, 8U}) {
    auto other = stored;
    other[at] ^= std::byte{2};
    expect_fresh(other, kSize);
  }
  EXPECT_TRUE(unpack_latency_profile({}).parts().empty());
}

TEST(LatencyProfile, AnyBytesAreUsable) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::byte> bytes = pack_latency_profile(LatencyProfile(kSize));
    for (std::size_t i = 16; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(random());
    LatencyProfile profile = unpack_latency_profile(bytes, kSize);
    EXPECT_EQ(profile.parts().size(), 16U);
    for (const LatencyPart& part : profile.parts()) {
      EXPECT_EQ(part.typical_us.has_value(), part.slowest_us.has_value());
      if (part.typical_us) {
        EXPECT_LE(*part.typical_us, *part.slowest_us);
      }
    }
    read_disk(profile, 100);
    profile.end_pass();
    expect_us(part_of(profile, 0).typical_us, 100);
  }
}

}  // namespace
}  // namespace dmremap::health
