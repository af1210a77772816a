// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/set_names.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "discovery/hints.hpp"

namespace dmremap::cli {
namespace {

constexpr const char* kOne = "6b8b4567-327b-43c6-9643-74b0dc519f2e";
constexpr const char* kOther = "6b8b0000-327b-43c6-9643-74b0dc519f2e";

std::vector<NamedSet> sets() {
  return {{"backup", parse_uuid(kOne)}, {"films", parse_uuid(kOther)}, {"old", std::nullopt}};
}

TEST(NameMeant, IsANameOrAUuidOrItsFirstDigits) {
  EXPECT_EQ(name_meant("backup", sets()).value(), "backup");
  EXPECT_EQ(name_meant("old", sets()).value(), "old");
  EXPECT_EQ(name_meant(kOne, sets()).value(), "backup");
  EXPECT_EQ(name_meant("6b8b4", sets()).value(), "backup");
  EXPECT_EQ(name_meant("6B8B0", sets()).value(), "films");
  EXPECT_EQ(name_meant("6b8b0000-327b", sets()).value(), "films");
}

TEST(NameMeant, AWordThatFitsNoSetStaysAsItIs) {
  for (const char* word : {"none", "6b8", "6b8b5", "", "6b8b4567-327b-43c6-9643-74b0dc519f2e0"}) {
    EXPECT_EQ(name_meant(word, sets()).value(), word);
  }
}

TEST(NameMeant, Promise8_DigitsOfTwoSetsAreRefusedAndBothNamed) {
  const auto meant = name_meant("6b8b", sets());
  ASSERT_FALSE(meant);
  EXPECT_EQ(meant.error().code, ErrorCode::usage);
  EXPECT_NE(meant.error().what.find("backup and films"), std::string::npos);
}

TEST(NameMeant, ANameGoesBeforeDigits) {
  auto known = sets();
  known.push_back({"6b8b", std::nullopt});
  EXPECT_EQ(name_meant("6b8b", known).value(), "6b8b");
}

class SetNamesTest : public ::testing::Test {
 protected:
  SetNamesTest()
      : directory_(std::filesystem::temp_directory_path() /
                   ("dmremap-names-" + std::to_string(::getpid()))),
        runtime_(directory_) {
    std::filesystem::create_directories(directory_);
    std::ofstream(directory_ + "/main.img") << "main";
    std::ofstream(directory_ + "/spare.img") << "spare";
    std::ofstream(directory_ + "/backup.dev") << "the file at which it is served";
    discovery::Hint hint{directory_ + "/main.img", directory_ + "/spare.img", ""};
    hint.set_uuid = parse_uuid(kOne);
    discovery::Hints(runtime_.hints()).remember("backup", hint);
  }
  ~SetNamesTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  control::RuntimeDir runtime_;
};

TEST_F(SetNamesTest, KnowsWhatWasMadeHereAndWhatRuns) {
  std::ofstream(directory_ + "/other.pid") << "1";
  const auto found = named_sets(runtime_);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "backup");
  EXPECT_EQ(found[0].uuid, parse_uuid(kOne));
  EXPECT_EQ(found[1].name, "other");
}

TEST_F(SetNamesTest, TheLinkInDevNamesTheSetAlsoIfItIsNotThere) {
  EXPECT_EQ(resolve_set_name(runtime_, "/dev/dm-remap/backup").value(), "backup");
  EXPECT_EQ(resolve_set_name(runtime_, "/dev//dm-remap/./backup").value(), "backup");
}

TEST_F(SetNamesTest, TheServiceNamesASetAsItsUnitDoes) {
  EXPECT_EQ(resolve_set_name(runtime_, "my\\x2dset").value(), "my-set");
  EXPECT_EQ(resolve_set_name(runtime_, "my-set").value(), "my-set");
}

TEST_F(SetNamesTest, TheFileAtWhichADeadSetWasServedNamesIt) {
  std::ofstream(directory_ + "/backup.pid") << "1";  // nobody holds it
  EXPECT_EQ(resolve_set_name(runtime_, directory_ + "/backup.dev").value(), "backup");
  EXPECT_EQ(set_served_at(runtime_, directory_ + "/backup.dev"), "backup");
}

TEST_F(SetNamesTest, Promise8_ADeviceOfASetIsNotTheSetButIsNamed) {
  const auto meant = resolve_set_name(runtime_, directory_ + "/main.img");
  ASSERT_FALSE(meant);
  EXPECT_EQ(meant.error().code, ErrorCode::usage);
  EXPECT_EQ(meant.error().what, "is main of the set backup, not the set's own device");
  EXPECT_FALSE(resolve_set_name(runtime_, directory_ + "/none"));
  EXPECT_EQ(set_served_at(runtime_, directory_ + "/spare.img"), std::nullopt);
}

}  // namespace
}  // namespace dmremap::cli
