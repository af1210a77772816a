// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 12: a main that was used by others since the last run is refused, and by one rule,
// whoever asks.
#include "discovery/start_check.hpp"

#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "discovery/main_print.hpp"
#include "rig/temporary_directory.hpp"
#include "sim/sim_device.hpp"

namespace dmremap::discovery {
namespace {

constexpr io::Geometry kDisk{{4096}, 512, 512};
constexpr SectorRange kBlock{{1024}, {8}};  // far behind what the print covers
constexpr SectorRange kRemapped{{2048}, {8}};

std::vector<std::byte> filled(SectorCount count, int fill) {
  return std::vector<std::byte>(count.bytes(), static_cast<std::byte>(fill));
}

class CheckContents : public ::testing::Test {
 protected:
  // A set that was stopped cleanly, with evidence of one block and a sector that lives elsewhere.
  CheckContents() {
    main.poke(kBlock.first, filled(kBlock.count, 1));
    main.poke(kRemapped.first, filled(kRemapped.count, 2));
    survey.content.emplace();
    survey.decision.winner.emplace();
    survey.content->extents = {format::Extent(format::State::lost, kRemapped)};
    survey.content->evidence = remap::to_format(std::vector{hash_now(kBlock)});
    survey.content->health.clean = true;
    survey.content->health.main_print = print_of(main, survey.content->extents).print;
  }

  remap::BlockHash hash_now(SectorRange block) {
    std::vector<std::byte> held = main.contents();
    return {block, remap::hash_of(std::span(held).subspan(block.first.value * kSectorBytes,
                                                          block.count.bytes()))};
  }
  void change(Sector first) { main.poke(first, filled({1}, 9)); }
  [[nodiscard]] Result<CheckedMain> check(bool known_by_contents = false) {
    return check_contents(main, survey, known_by_contents, conditions);
  }
  [[nodiscard]] std::optional<ErrorCode> refusal(bool known_by_contents = false) {
    const auto checked = check(known_by_contents);
    return checked ? std::nullopt : std::optional(checked.error().code);
  }

  sim::SimDevice main{kDisk};
  metadata::Survey survey;
  StartConditions conditions;
};

TEST_F(CheckContents, AMainThatWasLeftAloneGivesItsEvidence) {
  const auto checked = check();
  ASSERT_TRUE(checked) << checked.error().message();
  EXPECT_FALSE(checked->changed);
  EXPECT_EQ(checked->evidence, std::vector{hash_now(kBlock)});
}

TEST_F(CheckContents, Promise12_WhatOnlyEvidenceShowsIsRefused) {
  change(kBlock.first);
  const auto checked = check();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::main_changed);
  EXPECT_EQ(checked.error().what, "holds other data at sector 1024 than when the set was stopped");
  conditions.consent.accepted_changed = true;
  ASSERT_TRUE(check());
  EXPECT_TRUE(check()->changed);
  EXPECT_TRUE(check()->evidence.empty()) << "it is none any more";
}

TEST_F(CheckContents, Promise12_WhatThePrintShowsIsRefused) {
  change({2});
  EXPECT_EQ(refusal(), ErrorCode::main_changed);
  conditions.consent.accepted_changed = true;
  ASSERT_TRUE(check());
  EXPECT_TRUE(check()->changed);
}

TEST_F(CheckContents, WhereNothingIsElsewhereOthersMayUseMain) {
  survey.content->extents.clear();
  change({2});
  change(kBlock.first);
  ASSERT_TRUE(check());
  EXPECT_FALSE(check()->changed);
  EXPECT_TRUE(check()->evidence.empty());
  EXPECT_EQ(refusal(true), ErrorCode::main_changed) << "but for one that its contents prove";
}

TEST_F(CheckContents, Promise8_WhatItsContentsAloneProveMustHaveThem) {
  EXPECT_TRUE(check(true));
  survey.content->health.clean = false;
  EXPECT_EQ(refusal(true), ErrorCode::main_unproven) << "nothing was recorded to compare";
  EXPECT_TRUE(check(false));
}

TEST_F(CheckContents, Promise8_AWordForAnotherDeviceDoesNotStandInForContents) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/main";
  std::ofstream(path) << std::string(kDisk.size.bytes(), '\0');
  const auto device = io::FileDevice::open(path, {});
  ASSERT_TRUE(device);
  survey.content->identity.main.size = kDisk.size;
  survey.content->identity.main.logical_block_bytes = 512;
  survey.content->health.clean = false;  // nothing was recorded to compare
  MainCandidate candidate;
  candidate.device.path = path;
  candidate.verdict.identity = Identity::same;
  candidate.verdict.by_consent = true;
  const auto checked = [&] { return check_devices(**device, candidate, main, survey, conditions); };
  ASSERT_FALSE(checked());
  EXPECT_EQ(checked().error().code, ErrorCode::main_unproven);
  conditions.consent.accepted = true;
  EXPECT_TRUE(checked()) << "the user says that it is this one";
}

TEST_F(CheckContents, WhatMainDoesNotServeIsNotCompared) {
  change(kRemapped.first);
  survey.content->evidence = remap::to_format(std::vector{hash_now(kRemapped)});
  main.poke(kRemapped.first, filled(kRemapped.count, 7));
  ASSERT_TRUE(check());
  EXPECT_TRUE(check()->evidence.empty());
}

}  // namespace
}  // namespace dmremap::discovery
