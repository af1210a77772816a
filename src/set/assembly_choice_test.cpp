// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 8: the right devices or none; ambiguity is refused and explained.
#include <gtest/gtest.h>

#include "set/assembly.hpp"

namespace dmremap::set {
namespace {

using discovery::Likeness;
using discovery::MatchVerdict;

Uuid uuid(unsigned char n) {
  Uuid out;
  out.bytes[0] = std::byte{n};
  return out;
}

SpareFact spare(const std::string& path, unsigned char set, dev_t device) {
  return {path, "data", uuid(set), uuid(9), {io::Storage{device, 0}}};
}

MatchVerdict confirmed() {
  return {Likeness::same, false, true, {}};
}
MatchVerdict possible() {
  return {Likeness::same, false, false, {}};
}
MatchVerdict changed() {
  return {Likeness::file_system_changed, true, true, "its UUID is another"};
}
MatchVerdict different() {
  return {Likeness::different, false, false, "it shrank by 8 sectors"};
}

MainFact main_at(const std::string& path, MatchVerdict verdict, bool by_path, dev_t device) {
  return {path, std::move(verdict), by_path, {io::Storage{device, 0}}};
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

TEST(ChooseMain, OneConfirmedGoesBeforeAPath) {
  EXPECT_EQ(
      choose_main({main_at("/hint", possible(), true, 1), main_at("/dev/b", confirmed(), false, 2)},
                  "data")
          .value(),
      1U);
}

TEST(ChooseMain, TwoThatMatchEquallyAreAmbiguous) {
  const auto chosen = choose_main(
      {main_at("/hint", confirmed(), true, 1), main_at("/dev/b", confirmed(), false, 2)}, "data");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::ambiguous);
}

TEST(ChooseMain, OneThatOnlyDoesNotContradictCountsWhereAPathNamesIt) {
  EXPECT_EQ(choose_main({main_at("/hint", possible(), true, 1)}, "data").value(), 0U);
  EXPECT_EQ(choose_main({main_at("/dev/b", possible(), false, 1)}, "data").error().code,
            ErrorCode::missing_device);
}

TEST(ChooseMain, Promise8_TwoThatNothingTellsApartAreAmbiguous) {
  const auto chosen = choose_main(
      {main_at("/hint", possible(), true, 1), main_at("/recorded", possible(), true, 2)}, "data");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::ambiguous);
  const auto changed_ones = choose_main(
      {main_at("/hint", changed(), true, 1), main_at("/recorded", changed(), true, 2)}, "data");
  ASSERT_FALSE(changed_ones);
  EXPECT_EQ(changed_ones.error().code, ErrorCode::ambiguous);
  EXPECT_EQ(
      choose_main({main_at("/a", possible(), true, 1), main_at("/b", possible(), true, 1)}, "data")
          .value(),
      0U)
      << "one device by two names";
}

TEST(ChooseMain, AChangedOneIsLeftToTheUsersWord) {
  EXPECT_EQ(choose_main({main_at("/given", changed(), true, 1)}, "data").value(), 0U);
  EXPECT_EQ(choose_main({main_at("/dev/b", changed(), false, 1)}, "data").error().code,
            ErrorCode::missing_device);
}

TEST(ChooseMain, AnotherDeviceIsWrongAndItSaysWhy) {
  const auto chosen = choose_main({main_at("/given", different(), true, 1)}, "data");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::wrong_main);
  EXPECT_EQ(chosen.error().where, "/given");
  EXPECT_NE(chosen.error().what.find("shrank"), std::string::npos);
}

TEST(ChooseMain, NothingAtAllIsMissing) {
  EXPECT_EQ(choose_main({}, "data").error().code, ErrorCode::missing_device);
}

}  // namespace
}  // namespace dmremap::set
