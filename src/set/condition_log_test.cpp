// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/condition_log.hpp"

#include <gtest/gtest.h>

namespace dmremap::set {
namespace {

using format::EventKind;

TEST(ConditionLog, Promise13_EachIsAnEventWhenItComesAndWhenItGoes) {
  for (const auto& [condition, kind] : std::vector<std::pair<Condition, EventKind>>{
           {Condition::degraded, EventKind::degraded},
           {Condition::main_missing, EventKind::main_missing},
           {Condition::main_read_only, EventKind::main_read_only},
           {Condition::device_resized, EventKind::device_resized},
           {Condition::spare_away, EventKind::spare_away},
           {Condition::spare_refuses, EventKind::spare_refuses},
           {Condition::data_lost, EventKind::data_lost},
           {Condition::table_low, EventKind::table_low}}) {
    ConditionLog log({});
    EXPECT_TRUE(log.update({}).empty());
    const auto came = log.update({{condition, "why"}});
    ASSERT_EQ(came.size(), 1U) << name_of(condition);
    EXPECT_EQ(came[0].kind, kind);
    EXPECT_EQ(came[0].text, "why");
    EXPECT_NE(came[0].severity, Severity::info);
    EXPECT_EQ(format::name_of(kind), name_of(condition));
    EXPECT_TRUE(log.update({{condition, "other words"}}).empty());
    const auto went = log.update({});
    ASSERT_EQ(went.size(), 1U) << name_of(condition);
    EXPECT_EQ(went[0].kind, kind);
    EXPECT_EQ(went[0].severity, Severity::info);
    EXPECT_LE(went[0].text.size(), format::kEventTextBytes);
  }
}

TEST(ConditionLog, WhatTheEngineTellsItselfIsNotToldTwice) {
  ConditionLog log({});
  EXPECT_TRUE(log.update({{Condition::tripped, "t"},
                          {Condition::read_only, "r"},
                          {Condition::spare_full, "f"},
                          {Condition::table_full, "f"},
                          {Condition::spare_low, "l"}})
                  .empty());
  const auto went = log.update({});
  EXPECT_EQ(went.size(), 3U);
}

TEST(ConditionLog, WhatHeldBeforeIsNoNews) {
  ConditionLog log({{Condition::stopped, ""}, {Condition::data_lost, "2 sectors"}});
  EXPECT_TRUE(log.update({{Condition::data_lost, "3 sectors"}}).empty());
  EXPECT_EQ(log.update({}).size(), 1U);
}

TEST(ConditionLog, AWorseConditionDoesNotEndTheLesserOne) {
  ConditionLog log({});
  (void)log.update({{Condition::table_low, ""}});
  EXPECT_TRUE(log.update({{Condition::table_full, ""}}).empty());
}

}  // namespace
}  // namespace dmremap::set
