// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/attention.hpp"

#include <sstream>

#include <gtest/gtest.h>

namespace dmremap::cli {
namespace {

KnownSet with(std::vector<std::string> conditions, const std::string& reason) {
  KnownSet out;
  out.name = "backup";
  out.pid = 42;
  out.state = conditions.empty() ? "unknown" : conditions.front();
  out.conditions = std::move(conditions);
  out.reason = reason;
  control::SetReport report;
  report.name = out.name;
  report.conditions = out.conditions;
  report.copies = {7, 8};
  report.lost_sectors = 23;
  report.main.path = "/dev/sdb";
  out.report = report;
  return out;
}

std::string all(const std::vector<std::string>& actions) {
  std::string out;
  for (const std::string& one : actions) out += one + "\n";
  return out;
}

TEST(Attention, EveryConditionHasAnActionWithACommand) {
  for (const char* condition :
       {"tripped", "main-missing", "main-read-only", "spare-full", "table-full", "spare-low",
        "table-low", "spare-away", "spare-refuses", "read-only", "device-resized", "data-lost",
        "died"}) {
    const auto actions = actions_for(with({"degraded", condition}, "why"));
    ASSERT_FALSE(actions.empty()) << condition;
    EXPECT_NE(all(actions).find("`dmremap "), std::string::npos) << condition;
  }
}

TEST(Attention, WhatIsMountedOverADeadProcessIsToBeTakenAwayFirst) {
  const auto actions = actions_for(
      with({"stopped", "died"},
           "process 7 is gone, still mounted on /mnt: umount /mnt, then dmremap start backup"));
  EXPECT_NE(all(actions).find(": umount /mnt, then dmremap start backup."), std::string::npos);
}

TEST(Attention, WhatToDoAboutADeadProcessIsNotTakenFromAnotherReason) {
  const auto actions = actions_for(
      with({"stopped", "died", "main-missing"},
           "process 7 is gone: dmremap start backup; main is not here: /dev/sdb is not there"));
  EXPECT_NE(all(actions).find(": dmremap start backup."), std::string::npos) << all(actions);
}

TEST(Attention, NothingIsToBeDoneOfAHealthySet) {
  KnownSet set = with({"healthy"}, "");
  set.needs_attention = false;
  EXPECT_TRUE(actions_for(set).empty());
}

TEST(Attention, ASetThatDoesNotAnswerHasOneToo) {
  KnownSet set = with({}, "does not answer");
  set.report.reset();
  EXPECT_FALSE(actions_for(set).empty());
}

TEST(Attention, IsWrittenInLabelledLinesOf80Columns) {
  const std::string text = attention_text(with({"degraded", "data-lost"}, "23 sectors are lost"));
  EXPECT_TRUE(
      text.starts_with("   set: backup\n state: degraded, data-lost\nstatus: 23 sectors "
                       "are lost\naction: "))
      << text;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

}  // namespace
}  // namespace dmremap::cli
