// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/udev_answer.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::boot {
namespace {

using claims::Claim;
using claims::ClaimFile;
using format::FactKind;

claims::HostId here() {
  return {"0123456789abcdef0123456789abcdef", ""};
}

Claim claim() {
  Claim out;
  out.name = "data";
  out.set_uuid = *parse_uuid("431a65fc-7484-46c4-bade-24f6ad223042");
  out.host = here();
  out.main = {"/dev/sdb", {1000}, 512, {{FactKind::serial, "ZA1234"}}};
  out.spares.push_back(
      {*parse_uuid("6b8b4567-327b-43c6-9643-74b0dc519f2e"), {"/dev/sdc1", {500}, 512, {}}});
  return out;
}

UdevQuestion main_disk() {
  UdevQuestion out;
  out.device.names = {{FactKind::serial, "ZA1234"}};
  return out;
}

std::vector<ClaimFile> files(const std::vector<Claim>& all) {
  std::vector<ClaimFile> out;
  out.reserve(all.size());
  for (const Claim& one : all) out.push_back({one.name, one});
  return out;
}

// "role set hidden start", with "-" for what is missing.
std::string said(const UdevQuestion& question, const std::vector<ClaimFile>& claims) {
  const Properties answered = answer(question, claims, here(), {});
  std::string out;
  for (const char* key : {"DMREMAP_ROLE", "DMREMAP_SET", "DMREMAP_HIDDEN", "DMREMAP_START"}) {
    const auto found = std::ranges::find(answered, key, &Properties::value_type::first);
    out += (out.empty() ? "" : " ") + (found == answered.end() ? "-" : found->second);
  }
  return out;
}

TEST(UdevAnswer, Promise14_MainIsHiddenWhileItMustNotBeUsedAlone) {
  EXPECT_EQ(said(main_disk(), files({claim()})), "main data - -");
  for (int reason = 0; reason < 3; ++reason) {
    Claim one = claim();
    if (reason == 0) one.enabled = true;
    if (reason == 1) one.served = true;
    if (reason == 2) one.sectors_elsewhere = 1;
    EXPECT_EQ(said(main_disk(), files({one})), reason == 0 ? "main data 1 1" : "main data 1 -")
        << reason;
  }
}

TEST(UdevAnswer, Promise14_SoAreItsPartitions) {
  Claim one = claim();
  one.enabled = true;
  UdevQuestion part;
  part.device.names = {{FactKind::serial, "ZA1234"}, {FactKind::partition_start, "2048"}};
  part.device.disk_names = {{FactKind::serial, "ZA1234"}};
  EXPECT_EQ(said(part, files({one})), "part-of-main data 1 1");
}

TEST(UdevAnswer, WhatIsMountedIsNotTakenBack) {
  Claim one = claim();
  one.enabled = true;
  UdevQuestion mounted = main_disk();
  mounted.is_in_use = true;
  EXPECT_EQ(said(mounted, files({one})), "main data - 1");
  // The set itself holds a main that was hidden before.
  mounted.was_hidden = true;
  EXPECT_EQ(said(mounted, files({one})), "main data 1 1");
}

TEST(UdevAnswer, Promise14_OneOfTwoClaimsIsEnoughToHide) {
  Claim other = claim();
  other.name = "other";
  other.sectors_elsewhere = 8;
  EXPECT_EQ(said(main_disk(), files({claim(), other})), "main other 1 -");
}

TEST(UdevAnswer, OnlyAnEnabledSetOfThisHostComesUp) {
  UdevQuestion spare;
  spare.set_on_it = claim().set_uuid;
  spare.spare_on_it = claim().spares.front().uuid;
  Claim one = claim();
  EXPECT_EQ(said(spare, files({one})), "spare data - -");
  one.enabled = true;
  EXPECT_EQ(said(spare, files({one})), "spare data - 1");
  one.host.machine_id = "ffffffffffffffffffffffffffffffff";
  EXPECT_EQ(said(spare, files({one})), "spare data - -");
}

TEST(UdevAnswer, WhatServesTheRootFileSystemIsFollowedByAProcessOfTheHost) {
  Claim one = claim();
  one.enabled = true;
  UdevQuestion spare;
  spare.set_on_it = one.set_uuid;
  spare.spare_on_it = one.spares.front().uuid;
  const auto unit = [&] {
    const Properties answered = answer(spare, files({one}), here(), {});
    const auto found = std::ranges::find(answered, "DMREMAP_UNIT", &Properties::value_type::first);
    return found == answered.end() ? std::string() : found->second;
  };
  EXPECT_EQ(unit(), "dmremap@data.service");
  spare.served_for_root = {"data"};
  EXPECT_EQ(unit(), "dmremap-replace@data.service");
  spare.is_initramfs = true;
  EXPECT_EQ(unit(), "");
  spare.root_sets = {"data"};
  EXPECT_EQ(unit(), "dmremap-initrd@data.service");
}

TEST(UdevAnswer, TheUnitOfASetIsNamedAsSystemdNamesIt) {
  Claim one = claim();
  one.enabled = true;
  one.name = "my-set";
  const Properties answered = answer(main_disk(), files({one}), here(), {});
  const auto value = [&](const char* key) {
    return std::ranges::find(answered, key, &Properties::value_type::first)->second;
  };
  EXPECT_EQ(value("DMREMAP_UNIT"), "dmremap@my\\x2dset.service");
}

TEST(UdevAnswer, ASpareThatNoClaimNamesIsForeign) {
  Claim one = claim();
  one.enabled = true;
  UdevQuestion spare;
  spare.set_on_it = claim().set_uuid;
  spare.spare_on_it = *parse_uuid("00000000-0000-4000-8000-000000000001");
  EXPECT_EQ(said(spare, files({one})), "foreign-spare - - -");
  spare.set_on_it = spare.spare_on_it;
  EXPECT_EQ(said(spare, files({one})), "foreign-spare - - -");
}

TEST(UdevAnswer, ACopyOfTheFileSystemLeavesTheUuidToTheSetWhileMainIsHere) {
  Claim one = claim();
  one.main.facts.push_back({FactKind::file_system_uuid, "1234-ABCD"});
  UdevQuestion copy;
  copy.device.names = {{FactKind::serial, "ZB1"}};
  copy.file_system_uuid = "1234-ABCD";
  copy.sets_with_main = {one.set_uuid};
  EXPECT_EQ(said(copy, files({one})), "- - - -") << "the set does not come up";
  one.enabled = true;
  EXPECT_EQ(said(copy, files({one})), "copy data - -");
  copy.sets_with_main.clear();
  EXPECT_EQ(said(copy, files({one})), "- - - -") << "the copy has replaced main";
  copy.is_initramfs = true;
  EXPECT_EQ(said(copy, files({one})), "- - - -") << "the root lies elsewhere";
  copy.root_sets = {"data"};
  EXPECT_EQ(said(copy, files({one})), "copy data - -") << "main may come late, and the root is its";
  copy.sets_with_main = {one.set_uuid};
  copy.file_system_uuid = "1234-ABCE";
  EXPECT_EQ(said(copy, files({one})), "- - - -");
  one.host.machine_id = "ffffffffffffffffffffffffffffffff";
  copy.file_system_uuid = "1234-ABCD";
  EXPECT_EQ(said(copy, files({one})), "- - - -") << "of another host";
}

TEST(UdevAnswer, NoDeviceIsReadForTheFileSystemOfASetThatDoesNotComeUpHere) {
  Claim one = claim();
  one.enabled = true;
  EXPECT_TRUE(claims_with_copies(files({one}), here()).empty()) << "without a file system";
  one.main.facts.push_back({FactKind::file_system_uuid, "1234-ABCD"});
  EXPECT_EQ(claims_with_copies(files({one}), here()).size(), 1U);
  Claim foreign = one;
  foreign.host.machine_id = "ffffffffffffffffffffffffffffffff";
  EXPECT_TRUE(claims_with_copies(files({foreign}), here()).empty());
  Claim disabled = one;
  disabled.enabled = false;
  EXPECT_TRUE(claims_with_copies(files({disabled}), here()).empty());
  // Of two claims of the same main, the one of this host counts.
  const auto both = files({foreign, one});
  const auto found = claims_of_file_system("1234-ABCD", both, here());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front()->host.machine_id, one.host.machine_id);
}

TEST(UdevAnswer, TheDeviceOfASetIsItsOwn) {
  UdevQuestion served;
  served.served_set = "data";
  EXPECT_EQ(said(served, files({claim()})), "set data - -");
}

TEST(UdevAnswer, OfWhatBelongsToNobodyNothingIsSaid) {
  EXPECT_TRUE(answer({}, files({claim()}), here(), {}).empty());
  const std::vector<ClaimFile> damaged{
      {"data", fail(ErrorCode::claim_damaged, "is damaged", "/etc/dm-remap/claims.d/data")}};
  EXPECT_TRUE(answer(main_disk(), damaged, here(), {}).empty());
}

}  // namespace
}  // namespace dmremap::boot
