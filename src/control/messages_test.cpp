// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/messages.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "control/protocol.hpp"

namespace dmremap::control {
namespace {

using nlohmann::json;

// Every version of the JSON that lacks one field of an object, at any depth.
std::vector<json> lacking_one_field(const json& whole) {
  std::vector<json> out;
  if (!whole.is_structured()) return out;
  for (const auto& [key, value] : whole.items()) {
    const auto index = whole.is_array() ? std::stoul(key) : 0;
    if (whole.is_object()) {
      out.push_back(whole);
      out.back().erase(key);
    }
    for (json& part : lacking_one_field(value)) {
      out.push_back(whole);
      (whole.is_object() ? out.back()[key] : out.back()[index]) = std::move(part);
    }
  }
  return out;
}

template <typename Message>
void expect_every_field_needed(const Message& message) {
  const json whole = message;
  ASSERT_TRUE(message_in<Message>(whole));
  EXPECT_EQ(json(message_in<Message>(whole).value()), whole);
  const auto parts = lacking_one_field(whole);
  EXPECT_GE(parts.size(), whole.size());
  for (const json& part : parts) {
    const auto read = message_in<Message>(part);
    ASSERT_FALSE(read) << part;
    EXPECT_EQ(read.error().code, ErrorCode::protocol) << part;
  }
}

SetReport some_set() {
  SetReport out;
  out.name = "data";
  out.conditions = {"healthy"};
  out.spares = {{"/dev/sdb", {}, "healthy", 100, 90, 1}};
  out.exports = {{"block", "/dev/loop3", "/dev/dm-remap/data"},
                 {"fuse", "/run/data", std::nullopt}};
  out.pid = 7;
  return out;
}

TEST(Messages, AFieldThatIsMissingIsAnErrorAndNoZero) {
  expect_every_field_needed(StatusReply{some_set()});
  expect_every_field_needed(StartReply{{"data", some_set().exports, {"little room"}}});
  expect_every_field_needed(EventsReply{{{1, "", "info", "start", std::nullopt, {0}, "x"}}});
  expect_every_field_needed(EventsRequest{3, true});
  expect_every_field_needed(RemapReply{{1}, {2}, {3}});
  expect_every_field_needed(UnremapReply{{1}, {2}, {3}, {4}, 5});
  expect_every_field_needed(RetryReply{true, {1}, {2}, {3}, {4}, {5}, {6}, 7});
  expect_every_field_needed(MarkReply{{1}, {2}, {3}});
  expect_every_field_needed(MarkRequest{{{{{8}, {1}}}}, {{{{16}, {2}}}}, true});
  expect_every_field_needed(BackfillReply{{1}, {2}, {3}});
  expect_every_field_needed(BackfillRequest{{{{{8}, {1}}}}, 3, true});
  expect_every_field_needed(SettleReply{{}, 4});
  expect_every_field_needed(CopiedRequest{{}, 4, {{{{8}, {1}}}}});
  using format::Extent;
  expect_every_field_needed(
      DiskMap{{4096}, {Extent(format::State::lost, {{8}, {2}})}, {8}, 77, {{{{20}, {1}}, EIO}}});
}

TEST(HistoryReply, ReadsWithoutTheLatencyOfOlderPrograms) {
  HistoryReply reply;
  reply.today = 3;
  reply.older = {{"lost", 2}};
  reply.before = {{"spare_used", 8}};
  reply.days = {{2, 1, "2026-11-29", {{"lost", 1}}, {{"spare_used", 9}}}};
  reply.latency = {{{0}, {2'048}, 400, 9'000}, {{2'048}, {2'048}, {}, {}}};
  const json whole = reply;
  const auto read = message_in<HistoryReply>(whole);
  ASSERT_TRUE(read);
  EXPECT_EQ(json(*read), whole);
  EXPECT_TRUE(whole["latency"][1]["typical_us"].is_null());
  for (const auto& [key, value] : whole.items()) {
    json part = whole;
    part.erase(key);
    const auto some = message_in<HistoryReply>(part);
    EXPECT_EQ(some.has_value(), key == "latency") << key;
    if (some) {
      EXPECT_TRUE(some->latency.empty());
    }
  }
  for (const auto& [key, value] : whole["latency"][0].items()) {
    json part = whole;
    part["latency"][0].erase(key);
    EXPECT_FALSE(message_in<HistoryReply>(part)) << key;
  }
}

TEST(HistoryReply, TellsTheLatencyOfEachPartInMicroseconds) {
  health::LatencyProfile profile({32'768});
  for (int i = 0; i < 4; ++i) profile.add({{8'192}, {256}}, i == 2 ? 64'000 : 1'024);
  const auto parts = report_of(profile);
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_FALSE(parts[0].typical_us || parts[0].slowest_us);
  EXPECT_EQ(parts[1].sector, Sector{8'192});
  EXPECT_EQ(parts[1].count, SectorCount{8'192});
  EXPECT_EQ(parts[1].typical_us, 1'024U);
  EXPECT_NEAR(static_cast<double>(*parts[1].slowest_us), 64'000, 3'000);
}

TEST(Messages, ACountIsNeitherNegativeNorAFraction) {
  for (const json& wrong : {json(-1), json(1.5), json("1"), json(nullptr), json::array()}) {
    json reply = RemapReply{{1}, {2}, {3}};
    reply["lost_sectors"] = wrong;
    EXPECT_FALSE(message_in<RemapReply>(reply)) << wrong;
  }
}

TEST(Messages, ARequestNamesItsVerbAndAnAnswerSaysThatItWorked) {
  EXPECT_EQ(request_of(RemapRequest{{{{2048}, {8}}}}),
            json::parse(R"({"version":1,"verb":"remap","first":2048,"count":8})"));
  EXPECT_EQ(request_of(PingRequest{}), json::parse(R"({"version":1,"verb":"ping"})"));
  EXPECT_EQ(answer_of(RemapReply{{8}, {1}, {2}}),
            json::parse(R"({"version":1,"ok":true,"relocated_sectors":8,"lost_sectors":1,
                            "untouched_sectors":2})"));
}

TEST(SetReport, LostAndGoneSectorsAreCountedTogether) {
  set::Status status;
  status.table.lost = 1;
  status.table.gone = 2;
  EXPECT_EQ(report_of(status).lost_sectors, 3U);
}

TEST(SetReport, JsonHasTheFieldsThatScriptsRelyOn) {
  set::Status status;
  status.name = "data";
  status.copies = {8, 8};
  status.spares.resize(1);
  set::judge(status, {}, true);
  const json out = report_of(status);
  for (const char* field : {"json_version", "name", "uuid", "state", "conditions", "doubtful",
                            "sequence", "size_sectors", "remapped_sectors", "lost_sectors",
                            "suspect_sectors", "main", "spares", "copies", "io"}) {
    EXPECT_TRUE(out.contains(field)) << field;
  }
  for (const char* field : {"path", "read_errors", "write_errors"}) {
    EXPECT_TRUE(out["main"].contains(field)) << field;
  }
  ASSERT_EQ(out["spares"].size(), 1U);
  for (const char* field : {"path", "uuid", "state", "capacity_sectors", "free_sectors",
                            "retired_sectors", "growable_sectors"}) {
    EXPECT_TRUE(out["spares"][0].contains(field)) << field;
  }
  for (const char* field : {"reads", "writes", "flushes", "remapped_reads", "remapped_writes"}) {
    EXPECT_TRUE(out["io"].contains(field)) << field;
  }
  EXPECT_EQ(out["copies"]["total"], 8);
  EXPECT_TRUE(out["run"].is_null());
  status.run.bytes.fill(std::byte{0x5a});
  EXPECT_EQ(json(report_of(status))["run"], to_string(status.run));
}

TEST(EventReport, AnEventWithoutSectorsHasNone) {
  format::Event event;
  event.number = 7;
  event.kind = format::EventKind::spare_low;
  event.severity = Severity::warning;
  const json out = report_of(event);
  EXPECT_EQ(out["seq"], 7);
  EXPECT_EQ(out["kind"], "spare-low");
  EXPECT_EQ(out["severity"], "warning");
  EXPECT_TRUE(out["sector"].is_null());
  EXPECT_EQ(out["count"], 0);
}

}  // namespace
}  // namespace dmremap::control
