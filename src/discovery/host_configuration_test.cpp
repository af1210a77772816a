// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/host_configuration.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace dmremap::discovery {
namespace {

TEST(HostConfiguration, TakesWhatItKnows) {
  const HostConfiguration read = parse_host_configuration(
      "# comment\n\nimage = /srv/*.spare\r\n  image=/srv/a b.img  \nexclude = /dev/disk/by-id/x*\n"
      "export = ublk\nexport = nbd\nwait = 90",
      "/etc/x");
  EXPECT_EQ(read.images, (std::vector<std::string>{"/srv/*.spare", "/srv/a b.img"}));
  EXPECT_EQ(read.excluded, (std::vector<std::string>{"/dev/disk/by-id/x*"}));
  EXPECT_EQ(read.exports, (std::vector<std::string>{"ublk", "nbd"}));
  EXPECT_EQ(read.boot_wait_s, 90U);
  EXPECT_TRUE(read.problems.empty());
}

TEST(HostConfiguration, NamesTheLineOfWhatItDoesNotAndLeavesItOut) {
  const HostConfiguration read = parse_host_configuration(
      "wait = 0\nimage = relative\n\nexport = usb\nimages = /x\nimage\nexclude =\n"
      "image = /kept\nwait = \xff\n",
      "/etc/x");
  std::vector<std::string> where;
  for (const Error& one : read.problems) where.push_back(one.where);
  EXPECT_EQ(where, (std::vector<std::string>{"/etc/x:1", "/etc/x:2", "/etc/x:4", "/etc/x:5",
                                             "/etc/x:6", "/etc/x:7", "/etc/x:9"}));
  EXPECT_EQ(read.images, (std::vector<std::string>{"/kept"}));
  EXPECT_FALSE(read.boot_wait_s);
  EXPECT_TRUE(read.exports.empty());
}

TEST(HostConfiguration, ABootWaitsForAWholeNumberOfSecondsOfUpToADay) {
  EXPECT_EQ(boot_wait_of("1"), 1U);
  EXPECT_EQ(boot_wait_of("86400"), 86'400U);
  for (const char* text :
       {"", "0", "86401", "-1", "+30", " 30", "30 ", "30s", "0x1e", "4294967326"}) {
    EXPECT_FALSE(boot_wait_of(text)) << text;
  }
}

TEST(HostConfiguration, ImagesAreSearchedAndWhatIsExcludedIsNot) {
  const auto directory = std::filesystem::path(testing::TempDir()) / "host_configuration";
  std::filesystem::create_directories(directory);
  for (const char* name : {"a.spare", "b.spare", "c.img"}) std::ofstream(directory / name) << "x";
  std::filesystem::remove(directory / "link");
  std::filesystem::create_symlink(directory / "b.spare", directory / "link");
  HostConfiguration configuration;
  configuration.images = {directory / "*.spare", directory / "none*"};
  configuration.excluded = {directory / "lin?"};
  const auto places = searched_places(configuration);
  const auto has = [&](const char* name) {
    return std::ranges::find(places, (directory / name).string()) != places.end();
  };
  EXPECT_TRUE(has("a.spare"));
  EXPECT_FALSE(has("b.spare")) << "by a link to it";
  EXPECT_FALSE(has("c.img"));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace dmremap::discovery
