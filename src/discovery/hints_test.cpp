// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/hints.hpp"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::discovery {
namespace {

class HintsTest : public testing::Test {
 protected:
  const TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
};

TEST(SetName, FollowsTheRule) {
  EXPECT_TRUE(is_set_name("a"));
  EXPECT_TRUE(is_set_name("disk-2.old_B"));
  EXPECT_TRUE(is_set_name(std::string(64, 'x')));
  EXPECT_FALSE(is_set_name(std::string(65, 'x')));
  for (const char* bad : {"", ".hidden", "-option", "_x", "a/b", "..", "a b", "a\n", "\xc3\xa4"}) {
    EXPECT_FALSE(is_set_name(bad)) << bad;
  }
  EXPECT_EQ(check_set_name("a/b").error().code, ErrorCode::usage);
}

TEST_F(HintsTest, RemembersFindsAndForgets) {
  const Hints hints(directory_ + "/made/when/needed");
  EXPECT_FALSE(hints.find("data"));
  hints.remember("data", {"/dev/a", "/img/b c\n", "/run/x.dev"});
  EXPECT_EQ(hints.find("data"), (Hint{"/dev/a", "/img/b c\n", "/run/x.dev"}));
  EXPECT_EQ(hints.names(), std::vector<std::string>{"data"});
  hints.forget("data");
  EXPECT_FALSE(hints.find("data"));
  EXPECT_TRUE(hints.names().empty());
}

TEST_F(HintsTest, RemembersByWhatAPersonKnowsTheSpare) {
  const Hints hints(directory_);
  Hint hint{"/dev/a", "/dev/b", ""};
  hint.spare.size = {4096};
  hint.spare.model = "WDC WD10";
  hint.spare.serial = "WX99";
  hints.remember("data", hint);
  EXPECT_EQ(hints.find("data"), hint);
}

TEST_F(HintsTest, ADamagedHintIsNoHint) {
  const Hints hints(directory_);
  for (const char* text : {"", "garbage", "[1]", "{\"main\":1,\"spare\":2}", "{\"main\":\"x\"}"}) {
    std::ofstream(directory_ + "/data") << text;
    EXPECT_FALSE(hints.find("data")) << text;
  }
}

TEST_F(HintsTest, ADirectoryThatCannotBeMadeIsNoError) {
  std::ofstream(directory_ + "/file") << "x";
  const Hints hints(directory_ + "/file/below");
  hints.remember("data", {"/a", "/b", ""});
  EXPECT_FALSE(hints.find("data"));
}

TEST_F(HintsTest, Promise8_AUuidMeansTheSetThatHasItUnlessASetIsCalledSo) {
  const Hints hints(directory_);
  const std::string text = "6b8b4567-327b-43c6-9643-74b0dc519f2e";
  const std::string other = "00000000-0000-4000-8000-000000000001";
  EXPECT_EQ(hints.name_of(text), text) << "nothing is known of it";
  Hint hint{"/dev/a", "/dev/b", ""};
  hint.set_uuid = parse_uuid(text);
  hints.remember("data", hint);
  EXPECT_EQ(hints.name_of(text), "data");
  EXPECT_EQ(hints.name_of("data"), "data");
  EXPECT_EQ(hints.name_of(other), other);
  hint.set_uuid = parse_uuid(other);
  hints.remember(text, hint);
  EXPECT_EQ(hints.name_of(text), text);
}

}  // namespace
}  // namespace dmremap::discovery
