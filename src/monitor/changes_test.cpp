// SPDX-License-Identifier: GPL-2.0-or-later
#include "monitor/changes.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::monitor {
namespace {

using control::EventReport;
using control::HealthReport;

SetLook serving(std::vector<std::string> conditions = {}, std::string reason = {}) {
  SetLook look;
  look.name = "backup";
  look.presence = Presence::serving;
  look.report.emplace();
  look.report->conditions = std::move(conditions);
  look.report->reason = std::move(reason);
  look.report->copies = {8, 8};
  look.report->run = Uuid{};
  look.report->needs_attention = !look.report->conditions.empty();
  if (look.report->conditions.empty()) look.report->conditions = {"healthy"};
  return look;
}

SetLook with_presence(Presence presence, const std::string& reason = {}) {
  SetLook look;
  look.name = "backup";
  look.presence = presence;
  look.reason = reason;
  return look;
}

SetLook with_verdict(const std::string& word) {
  SetLook look = serving();
  HealthReport health;
  health.verdict = word;
  health.reasons = {{"bad-growing", 40, "12 sectors in 3 days"}};
  look.report->health = health;
  return look;
}

EventReport event(const std::string& kind, const std::string& severity, const std::string& text) {
  EventReport out;
  out.kind = kind;
  out.severity = severity;
  out.text = text;
  return out;
}

std::vector<std::string> lines(const std::vector<Message>& messages) {
  std::vector<std::string> out;
  out.reserve(messages.size());
  for (const Message& message : messages) out.push_back(line_of(message));
  return out;
}

using Lines = std::vector<std::string>;

TEST(Changes, WhatIsAsBeforeIsNotToldAgain) {
  const SetLook lost = serving({"degraded", "data-lost"}, "8 sectors are lost or gone");
  EXPECT_EQ(lines(changes(serving(), serving())), Lines{});
  EXPECT_EQ(lines(changes(lost, lost)), Lines{});
}

TEST(Changes, AConditionIsToldWhenItComesAndWhenItGoes) {
  const SetLook lost = serving({"degraded", "data-lost"}, "8 sectors are lost or gone");
  const auto came = changes(serving(), lost);
  EXPECT_EQ(lines(came), Lines{"DataLost backup: 8 sectors are lost or gone"});
  EXPECT_EQ(came.front().level, Level::critical);
  EXPECT_TRUE(came.front().mailed);
  const auto went = changes(lost, serving());
  EXPECT_EQ(lines(went), Lines{"DataLostOver backup"});
  EXPECT_EQ(went.front().level, Level::info);
  EXPECT_TRUE(went.front().mailed);
}

TEST(Changes, TheEventSaysMoreThanTheReasonOfTheWhole) {
  SetLook after = serving({"degraded", "data-lost", "spare-away"}, "8 sectors; and the spare");
  after.events = {event("spare-away", "error", "the spare does not answer")};
  const SetLook before = serving({"degraded", "data-lost"}, "8 sectors");
  EXPECT_EQ(lines(changes(before, after)), Lines{"SpareAway backup: the spare does not answer"});
}

TEST(Changes, DegradedIsToldIfItIsNoOtherConditionsShadow) {
  SetLook damaged = serving({"degraded"}, "2 of 8 copies");
  damaged.report->copies.good = 6;
  EXPECT_EQ(lines(changes(serving(), damaged)), Lines{"Degraded backup: 2 of 8 copies"});
  damaged.report->conditions = {"degraded", "data-lost"};
  EXPECT_EQ(lines(changes(serving({"degraded", "data-lost"}), damaged)),
            Lines{"Degraded backup: 2 of 8 copies"});
}

TEST(Changes, WhatCameAndWentBetweenTwoLooksIsTold) {
  SetLook after = serving();
  after.events = {event("trip", "error", "main does not answer"), event("rearm", "info", "it does"),
                  event("remap", "warning", "written to the spare")};
  EXPECT_EQ(lines(changes(serving(), after)),
            (Lines{"Tripped backup: main does not answer", "TrippedOver backup: it does"}));
  after.events.pop_back();
  after.events.erase(after.events.begin());
  EXPECT_EQ(lines(changes(serving(), after)), Lines{}) << "it came before the watch began";
}

TEST(Changes, DoubtIsToldAsACondition) {
  SetLook after = serving({}, "what is served may be old");
  after.report->doubtful = true;
  EXPECT_EQ(lines(changes(serving(), after)), Lines{"Doubtful backup: what is served may be old"});
}

TEST(Changes, AConditionOfALaterVersionIsToldToo) {
  EXPECT_EQ(lines(changes(serving(), serving({"degraded", "spare-on-fire"}, "hot"))),
            Lines{"SpareOnFire backup: hot"});
}

TEST(Changes, GrowthIsTold) {
  SetLook before = serving({"degraded", "data-lost"});
  before.report->lost_sectors = 8;
  before.report->spares.resize(1);
  SetLook after = before;
  after.report->lost_sectors = 12;
  after.report->remapped_sectors = 3;
  after.report->spares[0].retired_sectors = 1;
  EXPECT_EQ(
      lines(changes(before, after)),
      (Lines{
          "SectorsLost backup: 12 sectors are lost or gone, 4 more than before",
          "SectorsRemapped backup: 3 sectors are remapped, 3 more than before",
          "SpareSectorsRetired backup: 1 sectors of the spare are retired, 1 more than before"}));
  EXPECT_EQ(lines(changes(after, before)), Lines{}) << "fewer is no news";
}

TEST(Changes, TheVerdictIsToldWhenItsWordChanges) {
  EXPECT_EQ(lines(changes(with_verdict("good"), with_verdict("good"))), Lines{});
  const auto worse = changes(with_verdict("good"), with_verdict("replace-soon"));
  EXPECT_EQ(lines(worse),
            Lines{"VerdictWorse backup: replace-soon (was good): 12 sectors in 3 days"});
  EXPECT_TRUE(worse.front().mailed);
  EXPECT_EQ(worse.front().level, Level::error);
  EXPECT_EQ(changes(with_verdict("good"), with_verdict("watch")).front().level, Level::warning);
  EXPECT_EQ(changes(with_verdict("watch"), with_verdict("good")).front().event, "VerdictBetter");
  EXPECT_EQ(changes(with_verdict("unknown"), with_verdict("good")).front().event, "VerdictChanged");
  EXPECT_EQ(changes(with_verdict("unknown"), with_verdict("replace-now")).front().event,
            "VerdictWorse");
}

TEST(Changes, AFirstVerdictIsToldIfItIsBad) {
  EXPECT_EQ(lines(changes(serving(), with_verdict("good"))), Lines{});
  EXPECT_EQ(lines(changes(serving(), with_verdict("unknown"))), Lines{});
  EXPECT_EQ(lines(changes(serving(), with_verdict("replace-now"))),
            Lines{"VerdictWorse backup: replace-now: 12 sectors in 3 days"});
}

TEST(Changes, ThatASetIsServedAndHowThatEnds) {
  const SetLook died = with_presence(Presence::died, "process 7 is gone");
  const SetLook stopped = with_presence(Presence::stopped);
  EXPECT_EQ(lines(changes(stopped, serving())), Lines{"SetStarted backup"});
  EXPECT_EQ(lines(changes(serving(), stopped)), Lines{"SetStopped backup"});
  const auto dies = changes(serving(), died);
  EXPECT_EQ(lines(dies), Lines{"SetDied backup: process 7 is gone"});
  EXPECT_EQ(dies.front().level, Level::critical);
  EXPECT_TRUE(dies.front().mailed);
  EXPECT_EQ(lines(changes(died, died)), Lines{});
  EXPECT_EQ(lines(changes(died, serving())), Lines{"SetStarted backup"});
  EXPECT_EQ(lines(changes(serving(), with_presence(Presence::silent, "no answer in time"))),
            Lines{"NoAnswer backup: no answer in time"});
  EXPECT_EQ(lines(changes(with_presence(Presence::silent), serving())),
            Lines{"AnswersAgain backup"});
  EXPECT_EQ(lines(changes(serving(), with_presence(Presence::vanished, "gone"))),
            Lines{"SetVanished backup: gone"});
}

TEST(Changes, ARestartThatNobodySawIsTold) {
  SetLook after = serving();
  after.report->run = Uuid{{std::byte{1}}};
  after.events = {event("died", "error", "ended without a stop"), event("start", "info", "")};
  EXPECT_EQ(lines(changes(serving(), after)),
            (Lines{"SetDied backup: ended without a stop", "SetStarted backup: again"}));
}

TEST(Changes, ARestartDoesNotRepeatWhatWasTold) {
  SetLook stopped = serving({"degraded", "data-lost"});
  stopped.presence = Presence::stopped;  // with the last report
  EXPECT_EQ(lines(changes(stopped, serving({"degraded", "data-lost"}))),
            Lines{"SetStarted backup"});
}

TEST(WhatHolds, AllThatIsWrongNowAndNothingElse) {
  EXPECT_EQ(lines(what_holds(serving())), Lines{});
  SetLook lossy = serving({"degraded", "data-lost"}, "8 sectors are lost or gone");
  lossy.report->lost_sectors = 8;
  lossy.report->remapped_sectors = 100;
  EXPECT_EQ(lines(what_holds(lossy)), Lines{"DataLost backup: 8 sectors are lost or gone"});
  EXPECT_EQ(lines(what_holds(with_presence(Presence::died, "gone"))),
            Lines{"SetDied backup: gone"});
  EXPECT_EQ(lines(what_holds(with_presence(Presence::silent, "x"))), Lines{"NoAnswer backup: x"});
  EXPECT_EQ(lines(what_holds(with_presence(Presence::stopped))), Lines{});
}

TEST(Message, ALineStaysOneLine) {
  EXPECT_EQ(line_of(make_message("SetDied", "backup", "a\nb\x1b[2J")), "SetDied backup: a?b?[2J");
}

TEST(SetLook, NeedsAttentionAsListSaysIt) {
  EXPECT_FALSE(serving().needs_attention());
  EXPECT_TRUE(serving({"degraded", "data-lost"}).needs_attention());
  EXPECT_TRUE(with_presence(Presence::died).needs_attention());
  EXPECT_TRUE(with_presence(Presence::silent).needs_attention());
  EXPECT_FALSE(with_presence(Presence::stopped).needs_attention());
}

}  // namespace
}  // namespace dmremap::monitor
