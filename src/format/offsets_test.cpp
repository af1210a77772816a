// SPDX-License-Identifier: GPL-2.0-or-later
// docs/on-disk-format.md against the code: every row of its tables. A field is set to 0xff in every
// byte, and the bytes that change must be exactly those of its row.
#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/checksum.hpp"
#include "base/endian.hpp"
#include "format/body.hpp"
#include "format/copy_record.hpp"
#include "format/disk_history_section.hpp"
#include "format/evidence.hpp"
#include "format/history.hpp"
#include "format/latency_section.hpp"
#include "format/policy_section.hpp"
#include "format/recorded_facts.hpp"
#include "format/scan_section.hpp"
#include "format/seal.hpp"
#include "format/sections.hpp"
#include "rig/format_page.hpp"

namespace dmremap::format {
namespace {

using namespace page;

// --- values that change every byte ---------------------------------------------------------------

template <typename Number>
void fill(Number& number) {
  number = std::numeric_limits<Number>::max();
}

template <typename T, typename Number>
std::function<void(T&)> set(Number T::*member) {
  return [member](T& value) { fill(value.*member); };
}

template <typename T, std::size_t N>
std::function<void(T&)> set(std::array<std::byte, N> T::*member) {
  return [member](T& value) { (value.*member).fill(std::byte{0xff}); };
}

template <typename T>
std::function<void(T&)> set(Uuid T::*member) {
  return [member](T& value) { (value.*member).bytes.fill(std::byte{0xff}); };
}

template <typename T>
std::function<void(T&)> set(CommitId T::*member) {
  return [member](T& value) { (value.*member).bytes.fill(std::byte{0xff}); };
}

template <typename T>
std::function<void(T&)> set(std::string T::*member) {
  return [member](T& value) { value.*member = std::string(1000, 'x'); };
}

constexpr auto kAllOnes = std::numeric_limits<std::uint64_t>::max();

// --- the tests -----------------------------------------------------------------------------------

Seal some_seal() {
  Seal seal;
  seal.device_size = kMinSpareSize;
  seal.positions = copy_positions(kMinSpareSize);
  seal.sequence = 2;
  seal.term = 1;
  seal.body_blocks = 3;
  return seal;
}

Bytes packed_seal(const Seal& seal) {
  Bytes block(kBlockBytes);
  pack_seal(seal, block);
  block.resize(kSealBytes);
  return block;
}

TEST(FormatPage, Seal) {
  check_structure(Structure<Seal>{
      "The seal",
      kSealBytes,
      some_seal(),
      packed_seal,
      {{"compatible features", [](Seal& s) { s.features.compatible = kAllOnes; }},
       {"read-only compatible", [](Seal& s) { s.features.read_only_compatible = kAllOnes; }},
       {"incompatible", [](Seal& s) { s.features.incompatible = kAllOnes; }},
       {"UUID of the set", set(&Seal::set_uuid)},
       {"UUID of the spare", set(&Seal::device_uuid)},
       {"role", set(&Seal::role)},
       {"spare index", set(&Seal::spare_index)},
       {"copy", set(&Seal::copy)},
       {"slot", set(&Seal::slot)},
       {"byte offset of this seal", set(&Seal::byte_offset)},
       {"size of the device", [](Seal& s) { s.device_size = {kAllOnes}; }},
       {"positions", [](Seal& s) { s.positions.fill({kAllOnes}); }},
       {"sequence", set(&Seal::sequence)},
       {"term", set(&Seal::term)},
       {"commit id: random", set(&Seal::commit)},
       {"commit id of the parent", set(&Seal::parent)},
       {"timestamp", set(&Seal::wall_ns)},
       {"body blocks in use", set(&Seal::body_blocks)},
       {"CRC32C of those blocks", set(&Seal::body_crc)}},
      {"magic", "version"}});
  Bytes block(kBlockBytes);
  pack_seal(some_seal(), block);
  const Row magic = row_of("The seal", "magic: `dm-remap`");
  EXPECT_EQ(std::memcmp(block.data() + magic.offset, "dm-remap", magic.size), 0);
  EXPECT_EQ(load_le<std::uint32_t>(block, row_of("The seal", "version: 1").offset), 1U);
}

TEST(FormatPage, WhatIsZeroInASealIsChecked) {
  Bytes block(kBlockBytes);
  pack_seal(some_seal(), block);
  ASSERT_EQ(unpack_seal(block).check, SealCheck::ok);
  const Row crc = row_of("The seal", "CRC32C of bytes");
  for (const Row& row : rows_of("The seal")) {
    if (!is_zero_row(row)) continue;
    for (const std::size_t at : {row.offset, row.end() - 1}) {
      Bytes bad = block;
      bad[at] = std::byte{1};
      store_le(std::span(bad), crc.offset, crc32c(std::span(bad).first(crc.offset)));
      EXPECT_EQ(unpack_seal(bad).check, SealCheck::corrupt) << "byte " << at;
    }
  }
}

Bytes packed_identity(const Identity& identity) {
  Bytes out(kIdentityBytes);
  pack_identity(identity, out);
  return out;
}

Identity some_identity() {
  Identity identity;
  identity.name = "a";
  identity.spare.size = kMinSpareSize;
  return identity;
}

TEST(FormatPage, Identity) {
  check_structure(Structure<Identity>{
      "Identity",
      kIdentityBytes,
      some_identity(),
      packed_identity,
      {{"name of the set", set(&Identity::name)},
       {"UUID of the set", set(&Identity::set_uuid)},
       {"UUID of main", set(&Identity::main_uuid)},
       {"UUID of the spare", set(&Identity::spare_uuid)},
       {"time the set was made", set(&Identity::created_ns)},
       {"fingerprint of main", [](Identity& i) { i.main.model = "x"; }, Changes::some_bytes},
       {"fingerprint of the spare", [](Identity& i) { i.spare.model = "x"; }, Changes::some_bytes}},
      {}});
  Bytes bytes = packed_identity(some_identity());
  ASSERT_TRUE(unpack_identity(bytes).has_value());
  bytes[row_of("Identity", "zero").offset] = std::byte{1};
  EXPECT_FALSE(unpack_identity(bytes).has_value());
}

void check_fingerprint(const Row& place, Fingerprint Identity::*which) {
  EXPECT_EQ(place.size, kFingerprintBytes);
  check_structure(Structure<Fingerprint>{
      "A fingerprint",
      kFingerprintBytes,
      Fingerprint{},
      [&](const Fingerprint& fingerprint) {
        Identity identity = some_identity();
        identity.*which = fingerprint;
        const Bytes bytes = packed_identity(identity);
        const auto part = std::span(bytes).subspan(place.offset, place.size);
        return Bytes(part.begin(), part.end());
      },
      {{"size of the device", [](Fingerprint& f) { f.size = {kAllOnes}; }},
       {"logical block", set(&Fingerprint::logical_block_bytes)},
       {"physical block", set(&Fingerprint::physical_block_bytes)},
       {"kind", [](Fingerprint& f) { f.kind = static_cast<DeviceKind>(0xff); }},
       {"world-wide name", set(&Fingerprint::wwn)},
       {"serial number", set(&Fingerprint::serial)},
       {"model", set(&Fingerprint::model)},
       {"partition UUID", set(&Fingerprint::part_uuid)},
       {"file system UUID", set(&Fingerprint::fs_uuid)},
       {"file system type", set(&Fingerprint::fs_type)},
       {"path where it was last seen", set(&Fingerprint::path_hint)}},
      {}});
}

TEST(FormatPage, Fingerprint) {
  check_fingerprint(row_of("Identity", "fingerprint of main"), &Identity::main);
  check_fingerprint(row_of("Identity", "fingerprint of the spare"), &Identity::spare);
  for (const DeviceKind kind :
       {DeviceKind::other, DeviceKind::disk, DeviceKind::partition, DeviceKind::image}) {
    EXPECT_NE(row_of("A fingerprint", "kind")
                  .field.find(fmt::format("{} {}", static_cast<unsigned>(kind), name_of(kind))),
              std::string::npos);
  }
}

TEST(FormatPage, Configuration) {
  check_structure(
      Structure<Configuration>{"Configuration",
                               kConfigurationBytes,
                               Configuration{},
                               [](const Configuration& configuration) {
                                 Bytes out(kConfigurationBytes);
                                 pack_configuration(configuration, out);
                                 return out;
                               },
                               {{"request deadline", set(&Configuration::request_deadline_ms)},
                                {"seconds between looks", set(&Configuration::lost_recheck_s)},
                                {"read retries", set(&Configuration::read_retries)},
                                {"probe units", set(&Configuration::probe_units)}},
                               {}});
}

TEST(FormatPage, TheRangesOfTheConfiguration) {
  const std::pair<std::string, PolicyRange> rows[] = {{"request deadline", kRequestDeadlineMs},
                                                      {"seconds between looks", kLostRecheckS},
                                                      {"read retries", kReadRetries},
                                                      {"probe units", kProbeUnits}};
  for (const auto& [name, range] : rows) {
    EXPECT_TRUE(row_of("Configuration", name)
                    .field.ends_with(fmt::format("; {} to {}", range.least, range.most)))
        << name;
  }
}

Bytes packed_health(const Health& health) {
  Bytes out(kHealthBytes);
  pack_health(health, out);
  return out;
}

TEST(FormatPage, TheRecordOfACopy) {
  check_structure(Structure<CopyRecord>{"The record of a copy",
                                        kCopyRecordBytes,
                                        CopyRecord{},
                                        [](const CopyRecord& record) {
                                          Bytes out(kCopyRecordBytes);
                                          pack_copy_record(record, out);
                                          return out;
                                        },
                                        {{"sequence", set(&CopyRecord::sequence)},
                                         {"time", set(&CopyRecord::wall_ns)},
                                         {"sectors", [](CopyRecord& r) { r.left_out = {~0ULL}; }}},
                                        {}});
}

TEST(FormatPage, TheFacts) {
  const auto pack = [](const RecordedFacts& facts) {
    Bytes out(kRecordedFactsBytes);
    pack_recorded_facts(facts, 0, out);
    return out;
  };
  check_structure(Structure<RecordedFacts>{
      "The facts",
      kRecordedFactsBytes,
      RecordedFacts{},
      pack,
      {{"flags", [](RecordedFacts& f) { f.main_has_no_identity = true; }, Changes::some_bytes}},
      {"term", "number of facts", "the facts"}});
  const RecordedFacts two{{{FactKind::serial, "S"}}, {{FactKind::path, "/dev/sdb"}}, false};
  Bytes bytes(kRecordedFactsBytes);
  pack_recorded_facts(two, 7, bytes);
  EXPECT_EQ(load_le<std::uint64_t>(bytes, row_of("The facts", "term").offset), 7U);
  EXPECT_EQ(bytes[row_of("The facts", "number of facts").offset], std::byte{2});
  const std::size_t at = row_of("The facts", "the facts").offset;
  const std::array<unsigned, 9> expected{0, 6, 1, 0, 'S', 1, 64, 8, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(static_cast<unsigned>(bytes[at + i]), expected[i]) << i;
  }
  const std::string text = chapter("The facts").text;
  for (unsigned kind = 0; kind < 256; ++kind) {
    const auto name = name_of(static_cast<FactKind>(kind));
    if (name.empty()) continue;
    EXPECT_NE(text.find(fmt::format("{} {}", kind, name)), std::string::npos) << name;
  }
}

TEST(FormatPage, TheEvidence) {
  const Evidence evidence{{0xffff'ffff}, {kMaxEvidenceBlocks, EvidenceBlock{{1}, ~0ULL}}};
  Bytes bytes(kEvidenceBytes);
  pack_evidence(evidence, 7, bytes);
  EXPECT_EQ(load_le<std::uint64_t>(bytes, row_of("The evidence", "term").offset), 7U);
  EXPECT_EQ(load_le<std::uint32_t>(bytes, row_of("The evidence", "number of blocks").offset),
            kMaxEvidenceBlocks);
  EXPECT_EQ(load_le<std::uint32_t>(bytes, row_of("The evidence", "length of a block").offset),
            0xffff'ffffU);
  const Row blocks = row_of("The evidence", "blocks: 30 of 16 bytes");
  EXPECT_EQ(blocks.size, kMaxEvidenceBlocks * 16);
  EXPECT_EQ(load_le<std::uint64_t>(bytes, blocks.offset), 1U);
  EXPECT_EQ(load_le<std::uint64_t>(bytes, kEvidenceBytes - 8), ~0ULL);
  EXPECT_TRUE(unpack_evidence(bytes, 7));
  bytes[row_of("The evidence", "zero").offset] = std::byte{1};
  EXPECT_FALSE(unpack_evidence(bytes, 7));
}

TEST(FormatPage, TheHistory) {
  Event event;
  event.number = 0x0102030405060708;
  Bytes bytes(kHistoryBytes);
  pack_history(std::vector<Event>(kHistoryEvents, event), bytes);
  EXPECT_EQ(load_le<std::uint32_t>(bytes, row_of("The history", "number of events").offset),
            kHistoryEvents);
  const Row events = row_of("The history", "events: 31 of 64 bytes");
  EXPECT_EQ(events.size, kHistoryEvents * kEventBytes);
  EXPECT_EQ(load_le<std::uint64_t>(bytes, events.offset), event.number);
  bytes[row_of("The history", "zero").offset] = std::byte{1};
  EXPECT_FALSE(unpack_history(bytes));
}

TEST(FormatPage, TheScan) {
  const ScanSection scan{false, 0, 0, 1, {}};
  check_structure(Structure<ScanSection>{
      "The scan",
      kScanSectionBytes,
      scan,
      [](const ScanSection& from) {
        Bytes out(kScanSectionBytes);
        pack_scan_section(from, out);
        return out;
      },
      {{"flags", [](ScanSection& s) { s.paused = true; }, Changes::some_bytes},
       {"rate", [](ScanSection& s) { s.rate = kAllOnes; }},
       {"begin of the window", [](ScanSection& s) { s.window_from = 0xffff; }},
       {"end of the window", [](ScanSection& s) { s.window_to = 0xfefe; }}},
      {"length of the record", "record of the scan"}});
}

TEST(FormatPage, TheHistoryOfTheDisk) {
  check_structure(Structure<DiskHistorySection>{
      "The history of the disk",
      kDiskHistorySectionBytes,
      {},
      [](const DiskHistorySection& from) {
        Bytes out(kDiskHistorySectionBytes);
        pack_disk_history(from, out);
        return out;
      },
      {{"flags", [](DiskHistorySection& s) { s.never_ask_drive = true; }, Changes::some_bytes},
       {"time of the last answer", [](DiskHistorySection& s) { s.drive_answered_s = kAllOnes; }},
       {"day of running", [](DiskHistorySection& s) { s.clean_pass_day = 0xffffffff; }},
       {"serial number", [](DiskHistorySection& s) { s.drive_serial = std::string(64, 'x'); }}},
      {"length of the history", "daily counts"}});
}

TEST(FormatPage, TheLatencyAcrossTheDisk) {
  const std::string heading = "The latency across the disk";
  check_tiled(heading, rows_of(heading), kLatencySectionBytes);
  const Row length = row_of(heading, "length of the profile");
  const Row profile = row_of(heading, "profile");
  EXPECT_EQ(profile.size, kLatencyProfileBytes);
  EXPECT_NE(length.field.find(fmt::format("at most {}", kLatencyProfileBytes)), std::string::npos);
  Bytes bytes(kLatencySectionBytes);
  pack_latency_section({Bytes(kLatencyProfileBytes, std::byte{7})}, bytes);
  EXPECT_EQ(load_le<std::uint32_t>(bytes, length.offset), kLatencyProfileBytes);
  EXPECT_EQ(bytes[profile.offset], std::byte{7});
  EXPECT_EQ(bytes[profile.end() - 1], std::byte{7});
  ASSERT_TRUE(unpack_latency_section(bytes));
  const Row zero = row_of(heading, "zero");
  for (const std::size_t at : {zero.offset, zero.end() - 1}) {
    Bytes bad = bytes;
    bad[at] = std::byte{1};
    EXPECT_FALSE(unpack_latency_section(bad)) << at;
  }
}

TEST(FormatPage, OptionalSections) {
  const auto table = chapter("The optional sections").table;
  ASSERT_EQ(table.size(), 8U);
  const std::map<std::string, std::pair<unsigned, std::size_t>> expected{
      {"record of a copy", {kCopyRecordType, kCopyRecordBytes}},
      {"facts", {kRecordedFactsType, kRecordedFactsBytes}},
      {"evidence", {kEvidenceType, kEvidenceBytes}},
      {"policy", {kPolicySectionType, kPolicySectionBytes}},
      {"history", {kHistoryType, kHistoryBytes}},
      {"scan", {kScanSectionType, kScanSectionBytes}},
      {"history of the disk", {kDiskHistorySectionType, kDiskHistorySectionBytes}},
      {"latency across the disk", {kLatencySectionType, kLatencySectionBytes}}};
  for (const auto& row : table) {
    const auto& [type, bytes] = expected.at(row[1]);
    EXPECT_EQ(std::stoul(row[0]), type);
    EXPECT_EQ(std::stoul(row[2]), bytes);
  }
}

TEST(FormatPage, Health) {
  check_structure(
      Structure<Health>{"Health",
                        kHealthBytes,
                        Health{},
                        packed_health,
                        {{"read errors of main", set(&Health::main_read_errors)},
                         {"write errors of main", set(&Health::main_write_errors)},
                         {"read errors of the spare", set(&Health::spare_read_errors)},
                         {"write errors of the spare", set(&Health::spare_write_errors)},
                         {"remaps", set(&Health::remaps)},
                         {"starts", set(&Health::starts)},
                         {"scrub position", set(&Health::scrub_position)},
                         {"scrub passes", set(&Health::scrub_passes)},
                         {"number of the next event", set(&Health::next_event)},
                         {"flags", [](Health& h) { h.clean = true; }, Changes::some_bytes},
                         {"print of main", set(&Health::main_print)}},
                        {"number of events", "events"}});
  Health full;
  full.events.resize(kStoredEvents);
  EXPECT_EQ(
      load_le<std::uint32_t>(packed_health(full), row_of("Health", "number of events").offset),
      kStoredEvents);
  EXPECT_EQ(row_of("Health", "events: 48 of 64 bytes").size, kStoredEvents * kEventBytes);
}

TEST(FormatPage, Event) {
  const Row events = row_of("Health", "events");
  for (const std::size_t index : {std::size_t{0}, kStoredEvents - 1}) {
    check_structure(Structure<Event>{
        "An event",
        kEventBytes,
        Event{},
        [&](const Event& event) {
          Health health;
          health.events.resize(kStoredEvents);
          health.events[index] = event;
          const Bytes bytes = packed_health(health);
          const auto part =
              std::span(bytes).subspan(events.offset + index * kEventBytes, kEventBytes);
          return Bytes(part.begin(), part.end());
        },
        {{"number of sectors", [](Event& e) { e.main.count = {kAllOnes}; }},
         {"number", set(&Event::number)},
         {"time", set(&Event::wall_ns)},
         {"first sector of main", [](Event& e) { e.main.first = {kAllOnes}; }},
         {"kind", [](Event& e) { e.kind = static_cast<EventKind>(0xff); }},
         {"severity", [](Event& e) { e.severity = Severity::error; }, Changes::some_bytes},
         {"errno behind it", set(&Event::error)},
         {"text", set(&Event::text)}},
        {}});
  }
  const std::string text = chapter("An event").text;
  for (std::uint8_t code = 0; code < 255; ++code) {
    const auto kind = event_kind_of(code);
    if (!kind) continue;
    EXPECT_NE(text.find(fmt::format("{} {}", code, name_of(*kind))), std::string::npos);
  }
}

TEST(FormatPage, TableEntry) {
  const auto with = [](std::uint64_t main, std::uint64_t count, std::uint64_t spare) {
    return Extent(State::good, {{main}, {count}}, {kFirstSpare, {spare}});
  };
  check_structure(Structure<Extent>{
      "A table entry",
      kEntryBytes,
      with(0, 1, 0),
      [](const Extent& extent) {
        Bytes out(kEntryBytes);
        ExtentCodec::pack(extent, out);
        return out;
      },
      {{"first sector of main", [&](Extent& e) { e = with(kMaxSector, 1, 0); }},
       {"number of sectors", [&](Extent& e) { e = with(0, kMaxExtentSectors, 0); }},
       {"first sector of the spare", [&](Extent& e) { e = with(0, 1, kMaxSector); }},
       {"state",
        [](Extent& e) {
          e = Extent(static_cast<State>(0xff), {{0}, {1}});
        }},
       {"errno behind it", [](Extent& e) { e.with_evidence(255, 0, 0); }},
       {"low half of the sequence", [](Extent& e) { e.with_evidence(0, 0xffff'ffff, 0); }},
       {"wall clock", [](Extent& e) { e.with_evidence(0, 0, 0xffff'ffff * 1'000'000'000ULL); }}},
      {"spare index"}});
  Bytes bytes(kEntryBytes);
  ExtentCodec::pack(Extent(State::remapped, {{0}, {1}}), bytes);
  ASSERT_TRUE(ExtentCodec::unpack(bytes).has_value());
  bytes[row_of("A table entry", "spare index: 0").offset] = std::byte{1};
  EXPECT_FALSE(ExtentCodec::unpack(bytes).has_value());
  const std::string text = chapter("A table entry").text;
  for (const State state :
       {State::suspect, State::lost, State::gone, State::remapped, State::retired}) {
    EXPECT_NE(text.find(fmt::format("{} {} (", static_cast<unsigned>(state), name_of(state))),
              std::string::npos);
  }
}

}  // namespace
}  // namespace dmremap::format
