// SPDX-License-Identifier: GPL-2.0-or-later
// Which devices are read as possible mains, from facts alone.
#include "discovery/main_candidates.hpp"

#include <gtest/gtest.h>

namespace dmremap::discovery {
namespace {

using format::Fact;
using format::FactKind;
using Paths = std::vector<std::string>;

constexpr SectorCount kSize{4096};
Fact serial() {
  return {FactKind::serial, "S1"};
}

class MainCandidates : public ::testing::Test {
 protected:
  MainCandidates() {
    wanted.recorded.fingerprint.size = kSize;
    wanted.recorded.facts = {serial()};
    wanted.spare_beneath = {os::Storage{90, 0}};
  }
  CandidateFacts& device(const std::string& path, dev_t number, SectorCount size = kSize) {
    CandidateFacts& facts = seen[path];
    facts.path = path;
    facts.beneath = {os::Storage{number, 0}};
    facts.size = size;
    return facts;
  }
  [[nodiscard]] Paths identified(const std::vector<MainPlace>& places) const {
    return mains_to_identify(places, seen, wanted);
  }

  CandidateMap seen;
  WantedMain wanted;
};

TEST_F(MainCandidates, OfDevicesThatNobodyNamedThoseOfItsSizeOrItsDiskAreRead) {
  device("/dev/a", 1);
  device("/dev/b", 2, {8});
  device("/dev/c", 3, {8}).disk_names = {serial()};
  EXPECT_EQ(identified({{"/dev/a"}, {"/dev/b"}, {"/dev/c"}}), (Paths{"/dev/a", "/dev/c"}));
  EXPECT_EQ(identified({{"/dev/b", true}}), Paths{"/dev/b"}) << "a named one whatever it shows";
}

TEST_F(MainCandidates, WhatADiskIsShowsBeforeItIsRead) {
  const Fact naa{FactKind::naa, "5000c500a1b2c3d4"};
  EXPECT_EQ(appearance({naa, serial()}, wanted.recorded.facts), Appearance::main);
  EXPECT_EQ(appearance({{FactKind::bridge_serial, "S1"}}, wanted.recorded.facts), Appearance::main);
  EXPECT_EQ(appearance({{FactKind::serial, "S2"}}, wanted.recorded.facts), Appearance::another);
  EXPECT_EQ(appearance({naa}, wanted.recorded.facts), Appearance::unknown);
  EXPECT_EQ(appearance({}, wanted.recorded.facts), Appearance::unknown);
}

TEST_F(MainCandidates, Promise8_TheSpareAndItsViewsAreNone) {
  device("/dev/spare", 90);
  device("/dev/view", 1).beneath.push_back({90, 0});
  device("/dev/below", 91);
  wanted.spare_beneath.push_back({91, 0});
  EXPECT_EQ(identified({{"/dev/spare", true}, {"/dev/view", true}, {"/dev/below", true}}), Paths{});
}

TEST_F(MainCandidates, OneDeviceByTwoNamesIsReadOnceAndNamedIfOneIs) {
  device("/dev/a", 1).identity = DeviceFacts{};
  device("/dev/by-id/a", 1).identity = DeviceFacts{};
  const std::vector<MainPlace> places{{"/dev/a"}, {"/dev/by-id/a", true}};
  EXPECT_EQ(identified(places), Paths{"/dev/a"});
  const auto candidates = main_candidates(places, seen, wanted, {});
  ASSERT_EQ(candidates.size(), 1U);
  EXPECT_EQ(candidates[0].device.path, "/dev/a");
  EXPECT_TRUE(candidates[0].named);
}

TEST_F(MainCandidates, Promise8_TheUsersWordIsForTheDeviceThatItNames) {
  device("/dev/a", 1).identity = DeviceFacts{};
  device("/dev/b", 2).identity = DeviceFacts{};
  device("/dev/by-id/b", 2);
  const auto accepted = [&] {
    std::vector<bool> out;
    for (const auto& one : main_candidates({{"/dev/a"}, {"/dev/b"}}, seen, wanted, {})) {
      out.push_back(one.accepted);
    }
    return out;
  };
  wanted.accepted_path = "/dev/by-id/b";
  EXPECT_EQ(accepted(), (std::vector{false, true}));
  wanted.accepted_path = "/dev/absent";
  EXPECT_EQ(accepted(), (std::vector{false, false}));
}

TEST_F(MainCandidates, WhatCannotBeOpenedOrReadIsLeftOut) {
  device("/dev/a", 1).unopened = Error{ErrorCode::io, "is dead", "/dev/a", ""};
  device("/dev/b", 2).identity = fail(ErrorCode::io, "is dead", "/dev/b");
  device("/dev/c", 3).beneath.clear();
  EXPECT_TRUE(
      main_candidates({{"/dev/a", true}, {"/dev/b", true}, {"/dev/c", true}}, seen, wanted, {})
          .empty());
}

}  // namespace
}  // namespace dmremap::discovery
