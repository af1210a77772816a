// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/stable_links.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::frontend {
namespace {

namespace fs = std::filesystem;

class StableLinksTest : public testing::Test {
 protected:
  // As the kernel shows a partition of the disk "loop1".
  void add_partition(int number) const {
    const fs::path place = sys / "block" / "loop1" / ("loop1p" + std::to_string(number));
    fs::create_directories(place);
    std::ofstream(place / "partition") << number << '\n';
  }
  void remove_partition(int number) const {
    fs::remove_all(sys / "block" / "loop1" / ("loop1p" + std::to_string(number)));
  }
  [[nodiscard]] std::string part(int number) const {
    return link + "-part" + std::to_string(number);
  }
  // A node that exists; what it is does not matter to a link.
  [[nodiscard]] std::string make_node(const std::string& name) const {
    std::ofstream(dev / name) << "";
    return dev / name;
  }

  const TemporaryDirectory temporary;
  const fs::path directory = temporary.path();
  const fs::path sys = directory / "sys";
  const fs::path dev = directory / "dev";
  const std::string link = directory / "by-name" / "disk";
  StableLinksTest() { fs::create_directories(dev); }
};

TEST_F(StableLinksTest, TheLinkReplacesWhatAnEarlierRunLeft) {
  ASSERT_TRUE(place_link(link, "/dev/loop1"));
  ASSERT_TRUE(place_link(link, "/dev/loop2"));
  EXPECT_EQ(fs::read_symlink(link), "/dev/loop2");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory / "by-name"), {}), 1);
  EXPECT_EQ(fs::status(directory / "by-name").permissions(), fs::perms(0755));
}

TEST_F(StableLinksTest, OnlyTheLinkToTheOwnDeviceIsRemoved) {
  ASSERT_TRUE(place_link(link, "/dev/loop1"));
  remove_link(link, "/dev/loop2");
  EXPECT_TRUE(fs::is_symlink(link));
  remove_link(link, "/dev/loop1");
  EXPECT_FALSE(fs::is_symlink(link));
}

TEST_F(StableLinksTest, PartitionsAreFollowed) {
  const std::string node = make_node("loop1");
  const std::string first = make_node("loop1p1");
  const std::string twelfth = make_node("loop1p12");
  StableLinks links(link, node);
  links.follow_partitions(sys);
  EXPECT_FALSE(fs::is_symlink(part(1)));
  add_partition(1);
  add_partition(12);
  links.follow_partitions(sys);
  EXPECT_EQ(fs::read_symlink(part(1)), first);
  EXPECT_EQ(fs::read_symlink(part(12)), twelfth);
  remove_partition(1);
  links.follow_partitions(sys);
  EXPECT_FALSE(fs::is_symlink(part(1)));
  EXPECT_TRUE(fs::is_symlink(part(12)));
  links.remove();
  EXPECT_FALSE(fs::is_symlink(part(12)));
  EXPECT_FALSE(fs::is_symlink(link));
}

// A set may be called like the partition of another.
TEST_F(StableLinksTest, ALinkThatLeadsElsewhereStays) {
  const std::string node = make_node("loop1");
  (void)make_node("loop1p1");
  const std::string other = make_node("loop7");
  ASSERT_TRUE(place_link(part(1), other));
  {
    StableLinks links(link, node);
    add_partition(1);
    links.follow_partitions(sys);
    EXPECT_EQ(fs::read_symlink(part(1)), other);
  }
  EXPECT_EQ(fs::read_symlink(part(1)), other);
}

TEST_F(StableLinksTest, LinksToPartitionsOfADeadRunAreCleared) {
  const std::string alive = make_node("loop7");
  ASSERT_TRUE(place_link(part(1), dev / "loop1p1"));
  ASSERT_TRUE(place_link(part(2), alive));
  ASSERT_TRUE(place_link(link + "-parts", dev / "loop1p1"));
  clear_partition_links(link);
  EXPECT_FALSE(fs::is_symlink(part(1)));
  EXPECT_TRUE(fs::is_symlink(part(2)));
  EXPECT_TRUE(fs::is_symlink(link + "-parts"));
}

TEST_F(StableLinksTest, WithoutALinkThereIsNothingToFollow) {
  StableLinks links("", make_node("loop1"));
  add_partition(1);
  links.follow_partitions(sys);
  EXPECT_TRUE(links.path().empty());
}

}  // namespace
}  // namespace dmremap::frontend
