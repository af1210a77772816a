// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/replace_file.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::io {
namespace {

namespace fs = std::filesystem;

class WriteFileTest : public testing::Test {
 protected:
  WriteFileTest() { fs::create_directories(top / "theirs"); }

  static std::string contents(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  const TemporaryDirectory temporary;
  const fs::path top = temporary.path();
};

TEST_F(WriteFileTest, AFileIsMadeOrReplacedAlsoThroughALinkAndKeepsItsMode) {
  ASSERT_TRUE(write_file(top / "file", "one"));
  fs::permissions(top / "file", fs::perms(0640));
  fs::create_symlink("file", top / "link");
  ASSERT_TRUE(write_file(top / "link", "two"));
  EXPECT_EQ(contents(top / "file"), "two");
  EXPECT_TRUE(fs::is_symlink(top / "link"));
  EXPECT_EQ(fs::status(top / "file").permissions(), fs::perms(0640));
  EXPECT_EQ(std::distance(fs::directory_iterator(top), {}), 3);
}

TEST_F(WriteFileTest, ALinkToWhatIsNotThereYetMakesIt) {
  fs::create_symlink("made", top / "link");
  ASSERT_TRUE(write_file(top / "link", "new"));
  EXPECT_EQ(contents(top / "made"), "new");
}

TEST_F(WriteFileTest, APipeIsWrittenToThroughTheKernelsLink) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  ASSERT_TRUE(write_file(fmt::format("/dev/fd/{}", ends[1]), "piped"));
  std::array<char, 16> text{};
  EXPECT_EQ(::read(ends[0], text.data(), text.size()), 5);
  EXPECT_STREQ(text.data(), "piped");
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(WriteFileTest, AnOpenFileIsReplacedByItsName) {
  const int fd = ::open((top / "file").c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_TRUE(write_file(fmt::format("/dev/fd/{}", fd), "by name"));
  EXPECT_EQ(contents(top / "file"), "by name");
  ::close(fd);
}

TEST_F(WriteFileTest, ADirectoryIsNoFile) {
  EXPECT_EQ(write_file(top / "theirs", "x").error().code, ErrorCode::usage);
}

// What root writes for a user into a directory of that user must not land elsewhere.
TEST_F(WriteFileTest, ALinkThatBelongsToAnotherUserIsNotFollowed) {
  std::ofstream(top / "precious") << "precious";
  fs::create_symlink(top / "precious", top / "theirs" / "report");
  fs::create_directory_symlink(top, top / "theirs" / "way");
  for (const fs::path& path : {top / "theirs" / "report", top / "theirs" / "way", top / "theirs"}) {
    if (::lchown(path.c_str(), 65534, 65534) != 0) GTEST_SKIP() << "only root can give links away";
  }
  EXPECT_EQ(write_file(top / "theirs" / "report", "x").error().code, ErrorCode::permission);
  EXPECT_EQ(write_file(top / "theirs" / "way" / "precious", "x").error().code,
            ErrorCode::permission);
  EXPECT_EQ(contents(top / "precious"), "precious");
  EXPECT_TRUE(write_file(top / "theirs" / "other", "x"));
}

}  // namespace
}  // namespace dmremap::io
