// SPDX-License-Identifier: GPL-2.0-or-later
// The sections that need not be there: what they say, in which commits it counts, and that the
// table never lacks room because of them.
#include <gtest/gtest.h>

#include "format/body.hpp"
#include "format/disk_history_section.hpp"
#include "format/history.hpp"
#include "format/latency_section.hpp"
#include "format/policy_section.hpp"
#include "format/scan_section.hpp"

namespace dmremap::format {
namespace {

BodyName commit(std::uint64_t sequence, std::uint64_t term) {
  BodyName name;
  name.set_uuid.bytes[0] = std::byte{9};
  name.sequence = sequence;
  name.term = term;
  return name;
}

Event event_of(EventKind kind, std::uint64_t number) {
  Event event;
  event.kind = kind;
  event.number = number;
  event.text = "a word";
  return event;
}

Content full_content() {
  Content content;
  content.identity.name = "full";
  content.identity.set_uuid = commit(1, 1).set_uuid;
  content.identity.main.size = {1U << 20U};
  content.identity.spare.size = {1U << 20U};
  content.copy = CopyRecord{41, 99, {7}};
  content.facts = RecordedFacts{{{FactKind::naa, "5000c500a1b2c3d4"}, {FactKind::path, "/dev/sdb"}},
                                {{FactKind::serial, "S-1"}},
                                true};
  content.evidence = Evidence{{8}, {{{4096}, 0x1122334455667788U}, {{0}, 1}}};
  content.health.later_events = {event_of(EventKind::spare_away, 3)};
  return content;
}

Content there_and_back(const Content& content, const BodyName& name) {
  const auto decoded = decode_body(encoded_body(name, content));
  EXPECT_TRUE(std::holds_alternative<DecodedBody>(decoded));
  return std::get<DecodedBody>(decoded).content;
}

// The content as a program carries it along that knows none of these sections: `from` is what it
// opened, and it writes the commit `to`.
Content carried_along(const Content& content, const BodyName& from, const BodyName& to) {
  auto body = encoded_body(from, content);
  Content old = std::get<DecodedBody>(decode_body(body)).content;
  Content raw = old;
  raw.copy.reset();
  raw.facts.reset();
  raw.evidence.reset();
  raw.health.later_events.clear();
  const auto add = [&raw](std::uint16_t type, std::size_t bytes, const auto& pack) {
    UnknownSection section{type, 0, std::vector<std::byte>(bytes)};
    pack(std::span(section.bytes));
    raw.unknown.push_back(std::move(section));
  };
  using Bytes = std::span<std::byte>;
  add(kCopyRecordType, kCopyRecordBytes, [&](Bytes out) { pack_copy_record(*old.copy, out); });
  add(kRecordedFactsType, kRecordedFactsBytes,
      [&](Bytes out) { pack_recorded_facts(*old.facts, from.term, out); });
  add(kHistoryType, kHistoryBytes, [&](Bytes out) { pack_history(old.health.later_events, out); });
  add(kEvidenceType, kEvidenceBytes,
      [&](Bytes out) { pack_evidence(*old.evidence, from.term, out); });
  return there_and_back(raw, to);
}

TEST(OptionalSections, SayWhatWasPutIntoThem) {
  const Content content = full_content();
  EXPECT_EQ(there_and_back(content, commit(41, 3)), content);
}

TEST(OptionalSections, ACopyIsRecordedInTheCommitThatItNamesAlone) {
  EXPECT_FALSE(there_and_back(full_content(), commit(42, 3)).copy);
  EXPECT_FALSE(there_and_back(full_content(), commit(40, 3)).copy);
}

TEST(OptionalSections, AnOlderProgramsRunVoidsFactsAndEvidence) {
  const Content content = full_content();
  const Content same_run = carried_along(content, commit(41, 3), commit(41, 3));
  EXPECT_EQ(same_run, content) << "carried along without a commit of its own";
  const Content later = carried_along(content, commit(41, 3), commit(42, 4));
  EXPECT_FALSE(later.copy);
  EXPECT_FALSE(later.facts) << "main may be another device since";
  EXPECT_FALSE(later.evidence) << "main was written to since";
  EXPECT_EQ(later.health.later_events, content.health.later_events) << "what happened stays true";
  EXPECT_TRUE(later.unknown.empty()) << "void sections are not carried on";
}

TEST(OptionalSections, WhatMakesNoSenseCountsForNothing) {
  const auto none_at = [](std::size_t bytes, std::size_t at, const auto& pack, const auto& unpack) {
    std::vector<std::byte> out(bytes);
    pack(std::span(out));
    EXPECT_TRUE(unpack(std::span<const std::byte>(out)));
    out[at] = std::byte{0xff};
    EXPECT_FALSE(unpack(std::span<const std::byte>(out))) << at;
    out[at] = std::byte{0};
    EXPECT_FALSE(unpack(std::span<const std::byte>(out).first(bytes - 1)));
  };
  using Out = std::span<std::byte>;
  using In = std::span<const std::byte>;
  const Content content = full_content();
  for (const std::size_t at : {24U, 63U}) {
    none_at(
        kCopyRecordBytes, at, [&](Out out) { pack_copy_record(*content.copy, out); },
        [](In in) { return unpack_copy_record(in, 41); });
  }
  for (const std::size_t at : {8U, 10U, 15U, 16U, 19U, 2047U}) {
    none_at(
        kRecordedFactsBytes, at, [&](Out out) { pack_recorded_facts(*content.facts, 3, out); },
        [](In in) { return unpack_recorded_facts(in, 3); });
  }
  for (const std::size_t at : {8U, 16U, 31U, 39U, 511U}) {
    none_at(
        kEvidenceBytes, at, [&](Out out) { pack_evidence(*content.evidence, 3, out); },
        [](In in) { return unpack_evidence(in, 3); });
  }
  for (const std::size_t at : {3U, 4U, 63U, 2047U}) {
    none_at(
        kHistoryBytes, at, [&](Out out) { pack_history(content.health.later_events, out); },
        [](In in) { return unpack_history(in); });
  }
  const LatencySection latency{std::vector<std::byte>(40, std::byte{7})};
  for (const std::size_t at : {1U, 4U, 15U, 56U, 319U}) {
    none_at(
        kLatencySectionBytes, at, [&](Out out) { pack_latency_section(latency, out); },
        [](In in) { return unpack_latency_section(in); });
  }
}

TEST(OptionalSections, FactsOfLaterKindsAreKept) {
  RecordedFacts facts;
  facts.main = {{static_cast<FactKind>(200), "new"}, {FactKind::serial, "S-1"}};
  std::vector<std::byte> bytes(kRecordedFactsBytes);
  pack_recorded_facts(facts, 1, bytes);
  EXPECT_EQ(unpack_recorded_facts(bytes, 1), facts);
}

TEST(OptionalSections, FactsThatDoNotFitAreLeftOutFromTheEnd) {
  RecordedFacts facts;
  for (int i = 0; i < 20; ++i) {
    facts.main.push_back({FactKind::serial, std::string(200, static_cast<char>('a' + i))});
    facts.spare.push_back({FactKind::serial, std::string(40, static_cast<char>('a' + i))});
  }
  facts.main.push_back({FactKind::serial, std::string("cannot\nbe stored")});
  std::vector<std::byte> bytes(kRecordedFactsBytes);
  pack_recorded_facts(facts, 1, bytes);
  const auto back = unpack_recorded_facts(bytes, 1);
  ASSERT_TRUE(back);
  ASSERT_GE(back->main.size(), 6U);
  ASSERT_GE(back->spare.size(), 6U);
  EXPECT_EQ(back->main.front(), facts.main.front());
  EXPECT_EQ(back->spare.front(), facts.spare.front());
}

TEST(OptionalSections, AllTogetherLeaveRoomForTenThousandExtents) {
  constexpr std::size_t kAll = kCopyRecordBytes + kRecordedFactsBytes + kEvidenceBytes +
                               kPolicySectionBytes + kHistoryBytes + kScanSectionBytes +
                               kDiskHistorySectionBytes + kLatencySectionBytes;
  EXPECT_LE(kAll, 10 * kKiB);
  EXPECT_LE(kScanSectionBytes + kDiskHistorySectionBytes + kLatencySectionBytes, 7 * kKiB);
  const std::vector<UnknownSection> reserved{{99, 0, std::vector<std::byte>(10 * kKiB)}};
  EXPECT_GE(table_capacity(reserved), 10'000U);
}

TEST(OptionalSections, GiveWayToATableThatNeedsTheirRoom) {
  Content content = full_content();
  const std::size_t most = table_capacity(content.unknown);
  EXPECT_EQ(most, 10'370U) << "as before there were any";
  for (std::uint64_t i = 0; i < most; ++i) {
    content.extents.push_back(Extent(State::lost, {{i * 2}, {1}}));
  }
  const Content back = there_and_back(content, commit(41, 3));
  EXPECT_EQ(back.extents.size(), most);
  EXPECT_EQ(back.facts, content.facts) << "the last to go";
  EXPECT_FALSE(back.evidence);
  EXPECT_TRUE(back.health.later_events.empty());
}

TEST(OptionalSections, TheHealthSectionHoldsNoEventOfALaterKind) {
  Content content = full_content();
  content.health.events = {event_of(EventKind::died, 1)};
  const auto decoded = decode_body(encoded_body(commit(41, 3), content));
  EXPECT_EQ(std::get<BodyFault>(decoded), BodyFault::section)
      << "a program of version 1 would call the slot torn";
}

}  // namespace
}  // namespace dmremap::format
