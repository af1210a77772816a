// SPDX-License-Identifier: GPL-2.0-or-later
#include "claims/claim_text.hpp"

#include <string>

#include <gtest/gtest.h>

namespace dmremap::claims {
namespace {

using format::FactKind;

Claim example() {
  Claim out;
  out.name = "backup";
  out.set_uuid = *parse_uuid("431a65fc-7484-46c4-bade-24f6ad223042");
  out.host = {"0123456789abcdef0123456789abcdef", "4c4c4544-0035-5a10-8051-b2c04f4a3132"};
  out.enabled = true;
  out.sectors_elsewhere = 8;
  out.wait_s = 90;
  out.wait_is_recorded = false;
  out.links = {"/dev/disk/by-label/a\\x20b", "/dev/disk/by-uuid/1234-ABCD", "/dev/mapper/vg-lv"};
  out.main = {"/dev/sdb",
              {1953525168},
              512,
              {{FactKind::naa, "5000c500a1b2c3d4"}, {FactKind::serial, "ZA1 \\x"}}};
  out.spares.push_back({*parse_uuid("6b8b4567-327b-43c6-9643-74b0dc519f2e"),
                        {"/srv/a b\n.spare", {32768}, 4096, {{FactKind::image, "x 1"}}}});
  return out;
}

std::string what_is_wrong(const std::string& text) {
  const auto claim = parse_claim(text, "/etc/x");
  if (claim) return {};
  EXPECT_EQ(claim.error().code, ErrorCode::claim_damaged);
  EXPECT_EQ(claim.error().where, "/etc/x");
  return claim.error().what;
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = to_text(example());
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ClaimText, IsReadBackAsItWas) {
  const auto read = parse_claim(to_text(example()), "x");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, example());
}

TEST(ClaimText, CutOffAnywhereItIsDamaged) {
  const std::string text = to_text(example());
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_NE(what_is_wrong(text.substr(0, length)), "") << length;
  }
}

TEST(ClaimText, SaysWhatIsWrongAndInWhichLine) {
  EXPECT_EQ(what_is_wrong("claim-version = 2\n[end]\n"),
            "is damaged, line 1: it is of another version of dm-remap");
  EXPECT_EQ(what_is_wrong(with("enabled = yes", "enabled = perhaps")),
            "is damaged, line 8: enabled makes no sense");
}

TEST(ClaimText, RefusesWhatIsMissingDoubledOrSenseless) {
  for (const auto& [from, to] : std::initializer_list<std::pair<const char*, const char*>>{
           {"name = backup\n", ""},
           {"name = backup", "name = ../backup"},
           {"served = no\n", ""},
           {"served = no\n", "served = no\nserved = no\n"},
           {"[main]\n", "[main]\n[main]\n"},
           {"[main]\n", "[other]\n"},
           {"path = /dev/sdb\n", ""},
           {"sectors-elsewhere = 8", "sectors-elsewhere = 8x"},
           {"size-sectors = 32768", "size-sectors = -1"},
           {"uuid = 6b8b4567", "uuid = 6b8b456"},
           {"\\x5cx", "\\y"},
           {"links = /dev/disk/", "links = /dev/disk//"},
           {"links = /dev/disk/", "links = disk/"},
           {"links = /dev/disk/", "links = /etc/disk/"},
           {"[end]\n", "[end]\n[end]\n"},
           {"[end]\n", "words\n[end]\n"}}) {
    EXPECT_NE(what_is_wrong(with(from, to)), "") << from << " -> " << to;
  }
  const std::string text = to_text(example());
  const std::size_t spare = text.find("[spare]");
  EXPECT_NE(what_is_wrong(text.substr(0, spare) + "[end]\n"), "") << "without a spare";
}

TEST(ClaimText, OneDeviceAsMainAndSpareIsDamage) {
  Claim claim = example();
  claim.spares.front().device = claim.main;
  EXPECT_NE(what_is_wrong(to_text(claim)).find("one device"), std::string::npos);
}

TEST(ClaimText, WithoutAWaitTheDefaultCounts) {
  std::string text = to_text(example());
  for (const char* line : {"wait-seconds = 90\n", "wait-recorded = no\n"}) {
    text.erase(text.find(line), std::string_view(line).size());
  }
  const auto read = parse_claim(text, "x");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->wait_s, 30U);
  EXPECT_TRUE(read->wait_is_recorded);
  for (const char* wait : {"0", "86401", "soon"}) {
    EXPECT_TRUE(what_is_wrong(with("seconds = 90", std::string("seconds = ") + wait))
                    .ends_with("wait-seconds makes no sense"))
        << wait;
  }
}

TEST(ClaimText, SkipsWhatANewerVersionAdded) {
  const auto read = parse_claim(with("[main]\n", "colour = red\n[main]\ncolour = blue\n"), "x");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, example());
}

}  // namespace
}  // namespace dmremap::claims
