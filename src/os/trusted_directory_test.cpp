// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/trusted_directory.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dmremap::os {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kOther = 65534;

class TrustedDirectoryTest : public testing::Test {
 protected:
  TrustedDirectoryTest() {
    fs::create_directories(top / "mine" / "below");
    fs::create_directories(top / "theirs" / "below");
    fs::permissions(top, fs::perms(0755));
  }
  ~TrustedDirectoryTest() override { fs::remove_all(top); }

  // Gives it to another user; only root can.
  [[nodiscard]] static bool give_away(const fs::path& path) {
    return ::lchown(path.c_str(), kOther, kOther) == 0;
  }
  [[nodiscard]] static Result<TrustedDirectory> strict(const fs::path& path) {
    return TrustedDirectory::open(path, PathTrust::no_foreign_changes);
  }
  [[nodiscard]] static Result<TrustedDirectory> lenient(const fs::path& path) {
    return TrustedDirectory::open(path, PathTrust::no_foreign_links);
  }

  const fs::path top =
      fs::canonical(testing::TempDir()) / ("dmremap-trusted-" + std::to_string(::getpid()));
};

TEST_F(TrustedDirectoryTest, OwnDirectoriesBelowAStickyOneAreTrusted) {
  const auto found = strict(top / "mine" / "." / "below" / "..");
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->path(), (top / "mine").string());
  std::ofstream(found->entry("file")) << "x";
  EXPECT_TRUE(fs::exists(top / "mine" / "file"));
}

TEST_F(TrustedDirectoryTest, TheDescriptorStaysWhereTheDirectoryWas) {
  const auto found = strict(top / "mine" / "below");
  ASSERT_TRUE(found);
  fs::rename(top / "mine" / "below", top / "mine" / "moved");
  fs::create_directory_symlink(top / "theirs", top / "mine" / "below");
  std::ofstream(found->entry("file")) << "x";
  EXPECT_TRUE(fs::exists(top / "mine" / "moved" / "file"));
  EXPECT_FALSE(fs::exists(top / "theirs" / "file"));
}

TEST_F(TrustedDirectoryTest, OwnLinksAreFollowed) {
  fs::create_directory_symlink(top / "mine", top / "absolute");
  fs::create_directory_symlink("../mine/below", top / "theirs" / "relative");
  EXPECT_EQ(strict(top / "absolute" / "below").value().path(), (top / "mine" / "below").string());
  EXPECT_EQ(strict(top / "theirs" / "relative").value().path(), (top / "mine" / "below").string());
}

TEST_F(TrustedDirectoryTest, ALinkToItselfEnds) {
  fs::create_directory_symlink("circle", top / "circle");
  EXPECT_FALSE(strict(top / "circle"));
}

TEST_F(TrustedDirectoryTest, WhatIsNoDirectoryOrNotThereIsAnError) {
  std::ofstream(top / "file") << "x";
  EXPECT_FALSE(strict(top / "file"));
  EXPECT_EQ(strict(top / "absent").error().code, ErrorCode::no_such_device);
}

TEST_F(TrustedDirectoryTest, ADirectoryThatOthersMayWriteToIsRefused) {
  for (const unsigned mode : {0777U, 0775U}) {
    fs::permissions(top / "mine", fs::perms(mode));
    EXPECT_EQ(strict(top / "mine" / "below").error().code, ErrorCode::permission) << mode;
    EXPECT_TRUE(lenient(top / "mine" / "below")) << mode;
  }
  fs::permissions(top / "mine", fs::perms(01777));
  EXPECT_TRUE(strict(top / "mine" / "below"));
}

TEST_F(TrustedDirectoryTest, ADirectoryOnTheWayThatAnotherUserOwnsIsRefused) {
  if (!give_away(top / "theirs")) GTEST_SKIP() << "only root can give directories away";
  const auto refused = strict(top / "theirs" / "below");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::permission);
  EXPECT_NE(refused.error().what.find(top / "theirs"), std::string::npos) << refused.error().what;
  EXPECT_TRUE(lenient(top / "theirs" / "below"));
}

TEST_F(TrustedDirectoryTest, ALinkOfAnotherUsersIsNeverFollowed) {
  fs::create_directory_symlink(top / "mine", top / "link");
  if (!give_away(top / "link")) GTEST_SKIP() << "only root can give links away";
  EXPECT_EQ(strict(top / "link").error().code, ErrorCode::permission);
  EXPECT_EQ(lenient(top / "link" / "below").error().code, ErrorCode::permission);
}

}  // namespace
}  // namespace dmremap::os
