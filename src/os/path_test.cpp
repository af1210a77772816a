// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/path.hpp"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::os {
namespace {

namespace fs = std::filesystem;

class PathTest : public testing::Test {
 protected:
  PathTest() { fs::create_directories(directory / "real"); }

  const TemporaryDirectory temporary;
  const fs::path directory = temporary.path();
};

TEST_F(PathTest, ALinkedDirectoryIsResolvedAndTheLastPartNeedNotExist) {
  fs::create_directory_symlink(directory / "real", directory / "linked");
  EXPECT_EQ(os::canonical(directory / "linked" / "disk"),
            (fs::canonical(directory) / "real" / "disk").string());
  EXPECT_EQ(os::canonical("disk"), (fs::current_path() / "disk").string());
}

TEST_F(PathTest, ADirectoryThatIsNotThereIsAnErrorOrLeftAsItIs) {
  EXPECT_FALSE(resolve_directory_of(directory / "none" / "disk"));
  EXPECT_EQ(os::canonical(directory / "none" / "disk"), (directory / "none" / "disk").string());
}

TEST_F(PathTest, AnAbsolutePathHasNoDotsAndKeepsItsLinks) {
  EXPECT_EQ(absolute("a/./b/../c"), (fs::current_path() / "a/c").string());
  fs::create_directory_symlink(directory / "real", directory / "linked");
  EXPECT_EQ(absolute(directory / "linked" / "disk"), (directory / "linked" / "disk").string());
}

TEST_F(PathTest, ALinkLeadsToTheSamePlaceHoweverItIsWritten) {
  const fs::path links = fs::path(directory) / "links";
  fs::create_directories(links);
  const std::string disk = fs::path(directory) / "disk";
  fs::create_symlink(disk, links / "whole");
  fs::create_symlink("../disk", links / "relative");
  EXPECT_EQ(link_target(links / "whole"), disk);
  EXPECT_EQ(link_target(links / "relative"), disk);
  EXPECT_EQ(link_target(links), "");
  EXPECT_EQ(link_target(links / "none"), "");
}

}  // namespace
}  // namespace dmremap::os
