// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/status.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace dmremap::set {
namespace {

Status healthy() {
  Status status;
  status.name = "data";
  status.copies = {8, 8};
  status.spares = {{"/dev/spare", {}, {}}};
  return status;
}

bool has(const Status& status, const std::string& condition) {
  return std::ranges::count(status.conditions, condition) == 1;
}

TEST(Status, HealthyNeedsNoAttention) {
  Status status = healthy();
  judge(status, {}, true);
  EXPECT_EQ(status.state, "healthy");
  EXPECT_FALSE(status.needs_attention());
}

TEST(Status, RemappedSectorsAloneNeedNoAttention) {
  Status status = healthy();
  status.table.remapped = 100;
  judge(status, {}, true);
  EXPECT_FALSE(status.needs_attention());
}

TEST(Status, LostAndGoneSectorsNeedAttentionAndAreCountedTogether) {
  Status status = healthy();
  status.table.lost = 1;
  status.table.gone = 2;
  judge(status, {}, true);
  EXPECT_TRUE(status.needs_attention());
}

TEST(Status, TheWorstConditionIsTheStateAndAllAreNamedInWords) {
  Status status = healthy();
  status.copies.good = 7;
  remap::Conditions engine;
  engine.read_only = true;
  engine.read_only_reason = "a flush failed";
  engine.tripped = true;
  engine.trip_reason = "main vanished";
  judge(status, engine, true);
  EXPECT_EQ(status.state, "tripped");
  EXPECT_EQ(status.conditions, (std::vector<std::string>{"tripped", "read-only", "degraded"}));
  EXPECT_EQ(status.reason,
            "main vanished; a flush failed; 1 of 8 metadata copies do not hold the latest commit");
  EXPECT_TRUE(status.needs_attention());
}

TEST(Status, ADamagedCopyIsDegraded) {
  Status status = healthy();
  status.copies.good = 7;
  judge(status, {}, true);
  EXPECT_EQ(status.conditions, std::vector<std::string>{"degraded"});
  EXPECT_TRUE(status.needs_attention());
  EXPECT_FALSE(status.reason.empty());
}

TEST(Status, AFullSpareIsDegradedAndSaysWhy) {
  Status status = healthy();
  remap::Conditions engine;
  engine.spare_full = true;
  judge(status, engine, true);
  EXPECT_EQ(status.state, "degraded");
  EXPECT_TRUE(has(status, "spare-full"));
  EXPECT_EQ(status.spares.at(0).state, "spare-full");
}

TEST(Status, Promise13_ALowSpareNeedsAttentionAndIsNotHealthy) {
  Status status = healthy();
  status.table.spare_capacity = 100;
  status.table.spare_free = 20;
  judge(status, {}, true);
  EXPECT_EQ(status.conditions, (std::vector<std::string>{"degraded", "spare-low"}));
  EXPECT_EQ(status.spares.at(0).state, "spare-low");
  EXPECT_TRUE(status.needs_attention());
}

TEST(Status, Promise13_LostSectorsAreNotHealthy) {
  Status status = healthy();
  status.table.lost = 23;
  judge(status, {}, true);
  EXPECT_EQ(status.conditions, (std::vector<std::string>{"degraded", "data-lost"}));
  EXPECT_EQ(status.reason, "23 sectors are lost or gone");
}

TEST(Status, Promise13_AnExportThatDoesNotWorkIsNoMatterOfTheSpare) {
  Status status = healthy();
  judge(status, {}, true, {{}, {}, "nbdkit was killed, and is started again"});
  EXPECT_EQ(status.state, "degraded");
  EXPECT_EQ(status.reason, "nbdkit was killed, and is started again");
  EXPECT_EQ(status.spares.front().state, "healthy");
}

TEST(Status, Promise13_ADeadProcessSaysWhatIsStillMounted) {
  Status status = healthy();
  judge(status, {}, false, {"process 17 is gone, still mounted on /mnt", {}, {}});
  EXPECT_EQ(status.state, "stopped");
  EXPECT_EQ(status.conditions, (std::vector<std::string>{"stopped", "died"}));
  EXPECT_EQ(status.reason, "process 17 is gone, still mounted on /mnt");
  EXPECT_TRUE(status.needs_attention());
}

TEST(Status, AStoppedSetIsStoppedAndNothingElseIsWrongWithIt) {
  Status status = healthy();
  judge(status, {}, false);
  EXPECT_EQ(status.state, "stopped");
  EXPECT_FALSE(status.needs_attention());
}

TEST(StoppedStatus, CountsWhatTheTableSays) {
  format::Content content;
  content.identity.spare.size = {65536};
  content.extents = {
      format::Extent(format::State::lost, {{100}, {8}}),
      format::Extent(format::State::gone, {{200}, {1}}),
      format::Extent(format::State::remapped, {{300}, {16}}, {kFirstSpare, Sector{10000}}),
      format::Extent(format::State::suspect, {{400}, {4}}),
  };
  content.retired = {
      format::Extent(format::State::retired, {{0}, {2}}, {kFirstSpare, Sector{12000}})};
  const Status status = stopped_status(content, {}, "/main", "/spare");
  EXPECT_EQ(status.table.lost, 8U);
  EXPECT_EQ(status.table.gone, 1U);
  EXPECT_EQ(status.table.remapped, 16U);
  EXPECT_EQ(status.table.suspect, 4U);
  EXPECT_EQ(status.table.spare_capacity, 65536U - 8U * 1024U);
  EXPECT_EQ(status.table.spare_free, status.table.spare_capacity - 18U);
  EXPECT_TRUE(status.needs_attention());
}

}  // namespace
}  // namespace dmremap::set
