// SPDX-License-Identifier: GPL-2.0-or-later
#include "claims/claim_store.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::claims {
namespace {

class ClaimStoreTest : public testing::Test {
 protected:
  static Claim claim_of(const std::string& name) {
    Claim out;
    out.name = name;
    out.set_uuid = *parse_uuid("431a65fc-7484-46c4-bade-24f6ad223042");
    out.main = {"/dev/sdb", {100}, 512, {}};
    out.spares.push_back(
        {*parse_uuid("6b8b4567-327b-43c6-9643-74b0dc519f2e"), {"/s", {9}, 512, {}}});
    return out;
  }
  [[nodiscard]] std::string file(const std::string& name) const { return store_.path_of(name); }

  const TemporaryDirectory temporary_;
  const ClaimStore store_{temporary_.path() + "/dm-remap/claims.d"};
};

TEST_F(ClaimStoreTest, WritesFindsAndRemoves) {
  EXPECT_FALSE(store_.find("data"));
  EXPECT_TRUE(store_.remove("data"));
  ASSERT_TRUE(store_.write(claim_of("data")));
  Claim other = claim_of("other");
  other.enabled = true;
  ASSERT_TRUE(store_.write(claim_of("other")));
  ASSERT_TRUE(store_.write(other));
  ASSERT_TRUE(store_.find("other"));
  EXPECT_EQ(*store_.find("other")->claim, other);
  ASSERT_EQ(store_.all().size(), 2U);
  EXPECT_EQ(store_.all().front().name, "data");
  ASSERT_TRUE(store_.remove("data"));
  EXPECT_FALSE(store_.find("data"));
}

TEST_F(ClaimStoreTest, ItsFilesAreTheOwnersAlone) {
  ASSERT_TRUE(store_.write(claim_of("data")));
  struct stat st {};
  ASSERT_EQ(::stat(file("data").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(store_.directory().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0700U);
}

TEST_F(ClaimStoreTest, WhatOthersCanChangeIsNotBelieved) {
  ASSERT_TRUE(store_.write(claim_of("data")));
  ASSERT_EQ(::chmod(file("data").c_str(), 0666), 0);
  EXPECT_EQ(store_.find("data")->claim.error().code, ErrorCode::permission);
  std::filesystem::remove(file("data"));
  std::filesystem::create_symlink("/etc/passwd", file("data"));
  EXPECT_FALSE(store_.find("data")->claim);
}

TEST_F(ClaimStoreTest, AFileOfAnotherNameIsNoClaim) {
  ASSERT_TRUE(store_.write(claim_of("data")));
  std::filesystem::rename(file("data"), file("copy"));
  EXPECT_EQ(store_.find("copy")->claim.error().code, ErrorCode::claim_damaged);
}

TEST_F(ClaimStoreTest, WhatACrashLeavesIsNotSeen) {
  ASSERT_TRUE(store_.write(claim_of("data")));
  std::ofstream(store_.directory() + "/.data.1234") << "claim-version = 1\n";
  ASSERT_EQ(store_.all().size(), 1U);
}

TEST_F(ClaimStoreTest, ADirectoryThatCannotBeMadeIsAnError) {
  std::ofstream(temporary_.path() + "/dm-remap") << "a file";
  EXPECT_FALSE(store_.write(claim_of("data")));
  EXPECT_FALSE(store_.find("data"));
}

TEST_F(ClaimStoreTest, AUserWithoutADirectoryKeepsNone) {
  const ClaimStore none{""};
  EXPECT_TRUE(none.write(claim_of("data")));
  EXPECT_FALSE(none.find("data"));
  EXPECT_TRUE(none.all().empty());
}

TEST(Host, IsToldByWhatIsKnownOnBothSides) {
  Claim claim;
  claim.host = {"a", "p"};
  EXPECT_TRUE(is_of_another_host(claim, {"b", "p"}));
  EXPECT_FALSE(is_of_another_host(claim, {"a", "q"}));
  EXPECT_FALSE(is_of_another_host(claim, {"", ""}));
  EXPECT_TRUE(is_of_other_hardware(claim, {"a", "q"}));
  EXPECT_FALSE(is_of_other_hardware(claim, {"a", ""}));
}

TEST(Host, AnUnfinishedMachineIdIsNone) {
  const TemporaryDirectory root;
  std::filesystem::create_directory(root.path() + "/etc");
  std::ofstream(root.path() + "/etc/machine-id") << "uninitialized\n";
  EXPECT_EQ(this_host(root.path()), HostId{});
  std::ofstream(root.path() + "/etc/machine-id") << "0123456789abcdef0123456789abcdef\n";
  EXPECT_EQ(this_host(root.path()).machine_id, "0123456789abcdef0123456789abcdef");
}

}  // namespace
}  // namespace dmremap::claims
