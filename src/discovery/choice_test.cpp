// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 8: the right devices or none; ambiguity is refused and explained.
#include <gtest/gtest.h>

#include "discovery/assembly.hpp"

namespace dmremap::discovery {
namespace {

Uuid uuid(unsigned char n) {
  Uuid out;
  out.bytes[0] = std::byte{n};
  return out;
}

SpareFact spare(const std::string& path, unsigned char set, dev_t device) {
  return {path, "data", uuid(set), uuid(9), {os::Storage{device, 0}}};
}

IdentityVerdict proved() {
  IdentityVerdict out;
  out.identity = Identity::same;
  out.agrees = {"serial number S1"};
  return out;
}
IdentityVerdict said_once() {
  IdentityVerdict out;
  out.identity = Identity::same;
  out.by_consent = true;
  return out;
}
IdentityVerdict unproven() {
  IdentityVerdict out;
  out.agrees = {"file system UUID F1"};
  return out;
}
IdentityVerdict different() {
  IdentityVerdict out;
  out.identity = Identity::different;
  out.differs = {"serial number is S2, recorded was S1"};
  return out;
}

MainCandidate main_at(const std::string& path, IdentityVerdict verdict, bool named, dev_t device) {
  MainCandidate out;
  out.device.path = path;
  out.device.beneath = {os::Storage{device, 0}};
  out.verdict = std::move(verdict);
  out.named = named;
  return out;
}

MainCandidate accepted(MainCandidate candidate) {
  candidate.accepted = true;
  return candidate;
}

ErrorCode error_of(const std::vector<MainCandidate>& candidates) {
  const auto chosen = choose_main(candidates, "data");
  EXPECT_FALSE(chosen);
  return chosen ? ErrorCode::internal : chosen.error().code;
}

TEST(ChooseSpare, TheOnlyOne) {
  EXPECT_EQ(choose_spare({spare("/dev/a", 1, 10)}, "data").value(), 0U);
}

TEST(ChooseSpare, NoneIsMissing) {
  EXPECT_EQ(choose_spare({}, "data").error().code, ErrorCode::missing_device);
}

TEST(ChooseSpare, TwoSetsOfOneNameAreAmbiguousAndBothNamed) {
  const auto chosen = choose_spare({spare("/dev/a", 1, 10), spare("/dev/b", 2, 11)}, "data");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::ambiguous);
  EXPECT_NE(chosen.error().what.find("/dev/a"), std::string::npos);
  EXPECT_NE(chosen.error().what.find("/dev/b"), std::string::npos);
}

TEST(ChooseSpare, TwoCopiesOfOneSpareAreAmbiguous) {
  EXPECT_EQ(choose_spare({spare("/dev/a", 1, 10), spare("/dev/b", 1, 11)}, "data").error().code,
            ErrorCode::ambiguous);
}

TEST(ChooseSpare, OneDeviceUnderTwoNamesIsOne) {
  EXPECT_EQ(choose_spare({spare("/dev/a", 1, 10), spare("/dev/by-id/a", 1, 10)}, "data").value(),
            0U);
}

TEST(ChooseSpare, ALoopDeviceGoesBeforeItsFile) {
  SpareFact file = spare("/img", 1, 10);
  SpareFact loop = spare("/dev/loop0", 1, 7);
  loop.beneath.push_back(file.beneath.front());
  EXPECT_EQ(choose_spare({file, loop}, "data").value(), 1U);
}

TEST(ChooseMain, Promise8_OneThatIsProvedGoesBeforeAPath) {
  EXPECT_EQ(
      choose_main({main_at("/hint", unproven(), true, 1), main_at("/given", said_once(), true, 3),
                   main_at("/dev/b", proved(), false, 2)},
                  "data")
          .value(),
      2U);
}

TEST(ChooseMain, Promise8_TwoThatAreProvedAreAmbiguous) {
  EXPECT_EQ(error_of({main_at("/hint", proved(), true, 1), main_at("/dev/b", proved(), false, 2)}),
            ErrorCode::ambiguous);
  EXPECT_EQ(
      choose_main({main_at("/a", proved(), true, 1), main_at("/b", proved(), true, 1)}, "data")
          .value(),
      0U)
      << "one device by two names";
}

TEST(ChooseMain, Promise8_APathIsNeverEnough) {
  const auto chosen = choose_main({main_at("/hint", unproven(), true, 1)}, "data");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::main_unproven);
  EXPECT_NE(chosen.error().what.find("file system UUID F1"), std::string::npos);
  EXPECT_NE(chosen.error().hint.find("--accept-main /hint"), std::string::npos);
}

TEST(ChooseMain, Promise8_EveryCandidateIsNamed) {
  const auto chosen = choose_main(
      {main_at("/hint", unproven(), true, 1), main_at("/dev/b", unproven(), false, 2)}, "data");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::main_unproven);
  EXPECT_NE(chosen.error().what.find("/hint"), std::string::npos);
  EXPECT_NE(chosen.error().what.find("/dev/b"), std::string::npos);
}

TEST(ChooseMain, WhatTheUserSaidOnceCountsForOneDeviceAlone) {
  EXPECT_EQ(choose_main({main_at("/hint", said_once(), true, 1)}, "data").value(), 0U);
  EXPECT_EQ(error_of({main_at("/a", said_once(), true, 1), main_at("/b", said_once(), false, 2)}),
            ErrorCode::ambiguous);
}

TEST(ChooseMain, TheUsersWordIsTaken) {
  for (const auto& verdict : {unproven(), different(), said_once()}) {
    EXPECT_EQ(choose_main({main_at("/other", unproven(), true, 1),
                           accepted(main_at("/said", verdict, true, 2))},
                          "data")
                  .value(),
              1U);
  }
}

TEST(ChooseMain, Promise8_TheUsersWordIsRefusedWhereMainIsThere) {
  EXPECT_EQ(error_of({main_at("/dev/b", proved(), false, 1),
                      accepted(main_at("/said", unproven(), true, 2))}),
            ErrorCode::wrong_main);
  MainCandidate loop = accepted(main_at("/dev/loop0", proved(), true, 7));
  loop.device.beneath.push_back(os::Storage{1, 5});
  MainCandidate file = main_at("/img", proved(), false, 1);
  file.device.beneath = {os::Storage{1, 5}};
  EXPECT_EQ(choose_main({file, loop}, "data").value(), 1U) << "another view of it";
}

TEST(ChooseMain, TheUsersWordTakesOneOfSeveralThatAreProvedAlike) {
  EXPECT_EQ(choose_main({main_at("/dev/a", proved(), true, 1),
                         accepted(main_at("/dev/b", proved(), false, 2))},
                        "data")
                .value(),
            1U);
  // Its port was recorded then.
  IdentityVerdict there = proved();
  there.at_accepted_port = true;
  EXPECT_EQ(choose_main({main_at("/dev/a", proved(), true, 1), main_at("/dev/b", there, false, 2)},
                        "data")
                .value(),
            1U);
  EXPECT_EQ(error_of({main_at("/dev/a", there, true, 1), main_at("/dev/b", there, false, 2)}),
            ErrorCode::ambiguous);
}

TEST(ChooseMain, AnotherDeviceIsWrongAndItSaysWhy) {
  const auto chosen = choose_main({main_at("/given", different(), true, 1)}, "data");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::wrong_main);
  EXPECT_EQ(chosen.error().where, "/given");
  EXPECT_NE(chosen.error().what.find("serial number is S2"), std::string::npos);
}

TEST(ChooseMain, NothingAtAllIsMissing) {
  EXPECT_EQ(error_of({}), ErrorCode::missing_device);
  EXPECT_EQ(error_of({main_at("/dev/b", different(), false, 1)}), ErrorCode::missing_device);
}

TEST(CheckMain, Promise12_ToAcceptWhichDeviceItIsAcceptsNoChangeOfContents) {
  MainCandidate main = accepted(main_at("/said", unproven(), true, 1));
  main.verdict.contents_changed = "its file system UUID is F2, recorded was F1";
  EXPECT_EQ(check_main(main, {true, false}).error().code, ErrorCode::main_changed);
  EXPECT_TRUE(check_main(main, {true, true}));
  main.accepted = false;
  EXPECT_EQ(check_main(main, {false, true}).error().code, ErrorCode::main_unproven)
      << "nor the other way round";
}

TEST(CheckMain, AnotherGeometryWantsTheUsersWord) {
  MainCandidate main = main_at("/dev/b", proved(), true, 1);
  EXPECT_TRUE(check_main(main, {}));
  main.verdict.resized = "it grew by 8 sectors, from 8 to 16";
  EXPECT_EQ(check_main(main, {}).error().code, ErrorCode::main_resized);
  EXPECT_TRUE(check_main(main, {true, false}));
  main.verdict.resized.reset();
  main.verdict.reblocked = "its logical block is 512 bytes, recorded were 4096";
  EXPECT_EQ(check_main(main, {}).error().code, ErrorCode::block_size);
  EXPECT_TRUE(check_main(main, {true, false}));
}

}  // namespace
}  // namespace dmremap::discovery
