// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/conditions.hpp"

#include <algorithm>
#include <cerrno>
#include <functional>

#include <gtest/gtest.h>

namespace dmremap::set {
namespace {

Observations healthy() {
  Observations seen;
  seen.running = true;
  seen.copies = {8, 8};
  seen.table.spare_capacity = 1000;
  seen.table.spare_free = 1000;
  seen.table.entry_capacity = 10'370;
  return seen;
}

std::vector<std::string> words(const std::vector<ConditionReport>& reports) {
  std::vector<std::string> out;
  out.reserve(reports.size());
  for (const ConditionReport& report : reports) out.emplace_back(name_of(report.condition));
  return out;
}

TEST(Conditions, AHealthySetHasNone) {
  const auto found = conditions_of(healthy());
  EXPECT_TRUE(found.empty());
  EXPECT_EQ(state_of(found), "healthy");
  EXPECT_FALSE(needs_attention(found));
}

TEST(Conditions, AStoppedSetNeedsNoAttention) {
  Observations seen = healthy();
  seen.running = false;
  const auto found = conditions_of(seen);
  EXPECT_EQ(words(found), std::vector<std::string>{"stopped"});
  EXPECT_EQ(state_of(found), "stopped");
  EXPECT_FALSE(needs_attention(found));
}

struct Case {
  const char* word;
  const char* state;
  std::function<void(Observations&)> change;
};

// One fact each: the condition that it makes, alone, and the state of a set that has no other.
const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"tripped", "tripped", [](Observations& s) { s.engine.tripped = true; }},
      {"read-only", "read-only", [](Observations& s) { s.engine.read_only = true; }},
      {"degraded", "degraded", [](Observations& s) { s.copies.good = 7; }},
      {"degraded", "degraded",
       [](Observations& s) { s.engine.contents_changed = "main held other data"; }},
      {"degraded", "degraded", [](Observations& s) { s.engine.overdue = 2; }},
      {"data-lost", "degraded", [](Observations& s) { s.table.lost = 1; }},
      {"data-lost", "degraded", [](Observations& s) { s.table.gone = 23; }},
      {"main-missing", "degraded",
       [](Observations& s) { s.engine.devices.main_absence = "is gone"; }},
      {"main-read-only", "degraded", [](Observations& s) { s.engine.main_read_only = true; }},
      {"device-resized", "degraded",
       [](Observations& s) { s.engine.devices.main_resize = "main grew"; }},
      {"device-resized", "degraded",
       [](Observations& s) { s.engine.devices.spare_resize = "the spare shrank"; }},
      {"spare-away", "degraded", [](Observations& s) { s.engine.spare = remap::SpareState::away; }},
      {"spare-refuses", "degraded",
       [](Observations& s) { s.engine.spare = remap::SpareState::refuses; }},
      {"spare-low", "degraded", [](Observations& s) { s.table.spare_free = 200; }},
      {"spare-low", "degraded", [](Observations& s) { s.table.spare_free = 1; }},
      {"spare-full", "degraded", [](Observations& s) { s.table.spare_free = 0; }},
      {"spare-full", "degraded", [](Observations& s) { s.engine.spare_full = true; }},
      {"table-low", "degraded", [](Observations& s) { s.table.entries = 9'333; }},
      {"table-low", "degraded", [](Observations& s) { s.table.entries = 10'369; }},
      {"table-full", "degraded", [](Observations& s) { s.table.entries = 10'370; }},
      {"table-full", "degraded", [](Observations& s) { s.engine.table_full = true; }},
  };
  return all;
}

TEST(Conditions, Promise13_EachIsSaidAndMakesTheStateAtLeastDegraded) {
  for (const Case& one : cases()) {
    Observations seen = healthy();
    one.change(seen);
    const auto found = conditions_of(seen);
    EXPECT_EQ(words(found), std::vector<std::string>{one.word});
    EXPECT_EQ(state_of(found), one.state) << one.word;
    EXPECT_TRUE(needs_attention(found)) << one.word;
  }
}

TEST(Conditions, Promise13_EachIsSaidOfAStoppedSetToo) {
  for (const Case& one : cases()) {
    Observations seen = healthy();
    seen.running = false;
    one.change(seen);
    const auto found = conditions_of(seen);
    EXPECT_EQ(words(found), (std::vector<std::string>{"stopped", one.word}));
    EXPECT_EQ(state_of(found), "stopped") << one.word;
    EXPECT_TRUE(needs_attention(found)) << one.word;
  }
}

TEST(Conditions, EachHasWords) {
  Observations seen = healthy();
  seen.table.lost = 23;
  EXPECT_EQ(conditions_of(seen).front().text, "23 sectors are lost or gone");
  seen = healthy();
  seen.table.spare_free = 150;
  EXPECT_EQ(conditions_of(seen).front().text, "85 % of the spare is used");
  seen = healthy();
  seen.table.entries = 10'000;
  EXPECT_EQ(conditions_of(seen).front().text, "10000 of 10370 table entries are used");
}

TEST(Conditions, JustBelowTheLimitsIsHealthy) {
  Observations seen = healthy();
  seen.table.spare_free = 201;
  seen.table.entries = 9'332;
  EXPECT_TRUE(conditions_of(seen).empty());
}

TEST(Conditions, TheWorstIsTheState) {
  Observations seen = healthy();
  seen.table.lost = 1;
  seen.copies.good = 7;
  seen.engine.read_only = true;
  EXPECT_EQ(state_of(conditions_of(seen)), "read-only");
  seen.engine.tripped = true;
  EXPECT_EQ(state_of(conditions_of(seen)), "tripped");
  seen.running = false;
  EXPECT_EQ(state_of(conditions_of(seen)), "stopped");
}

TEST(Conditions, AMainThatVanishedIsMissingAndOneThatFailsEverywhereIsNot) {
  Observations seen = healthy();
  seen.engine.tripped = true;
  seen.engine.trip_error = ENODEV;
  EXPECT_EQ(words(conditions_of(seen)), (std::vector<std::string>{"tripped", "main-missing"}));
  seen.engine.trip_error = EIO;
  EXPECT_EQ(words(conditions_of(seen)), std::vector<std::string>{"tripped"});
}

TEST(Conditions, ADeadProcessIsStoppedAndNeedsAttention) {
  Observations seen = healthy();
  seen.running = false;
  seen.death = "process 17 is gone";
  const auto found = conditions_of(seen);
  EXPECT_EQ(words(found), (std::vector<std::string>{"stopped", "died"}));
  EXPECT_EQ(state_of(found), "stopped");
  EXPECT_TRUE(needs_attention(found));
}

}  // namespace
}  // namespace dmremap::set
