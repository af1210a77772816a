// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 8: the right main or none. The rule against a table of cases (identity_cases.txt), each
// with what a public record or a trial says happens.
#include "discovery/identity.hpp"

#include <fstream>
#include <map>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "discovery/fingerprint.hpp"
#include "discovery/hardware_names.hpp"

namespace dmremap::discovery {
namespace {

using format::DeviceKind;
using format::Fact;
using format::FactKind;

struct Case {
  std::string name;
  RecordedMain recorded;
  DeviceFacts seen;
  std::vector<DiskNames> present;
  std::string outcome;
};

// GoogleTest finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

const std::map<std::string, FactKind>& kinds() {
  static const std::map<std::string, FactKind> by_name{
      {"naa", FactKind::naa},
      {"eui", FactKind::eui},
      {"nvme-uuid", FactKind::nvme_uuid},
      {"nguid", FactKind::nguid},
      {"nvme", FactKind::nvme_legacy},
      {"serial", FactKind::serial},
      {"dm", FactKind::dm_uuid},
      {"md", FactKind::md_uuid},
      {"part", FactKind::partition_uuid},
      {"start", FactKind::partition_start},
      {"image", FactKind::image},
      {"attachment", FactKind::attachment},
      {"table", FactKind::table_uuid},
      {"path", FactKind::path},
      {"port", FactKind::port},
      {"accepted-size", FactKind::accepted_size},
      {"accepted-block", FactKind::accepted_logical_block}};
  return by_name;
}

format::Fingerprint usual() {
  format::Fingerprint out;
  out.size = {1'000'000};
  out.fs_uuid = "F1";
  out.fs_type = "ext4";
  return out;
}

// The words of one line: kind=value, and what is said of the whole device.
class Line {
 public:
  Line(format::Fingerprint& fingerprint, std::vector<Fact>& facts)
      : fingerprint_(fingerprint), facts_(facts) {}

  void take(const std::string& word) {
    const auto at = word.find('=');
    const std::string key = word.substr(0, at);
    const std::string value = at == std::string::npos ? "" : word.substr(at + 1);
    if (const auto kind = kinds().find(key); kind != kinds().end()) {
      facts_.push_back({kind->second, value});
    } else if (key == "size") {
      fingerprint_.size = {std::stoull(value)};
    } else if (key == "block") {
      fingerprint_.logical_block_bytes = static_cast<std::uint32_t>(std::stoul(value));
    } else if (key == "fs") {
      fingerprint_.fs_uuid = value == "none" || value == "unreadable" ? "" : value;
      fingerprint_.fs_type = value == "unreadable" ? kUnreadableFileSystem : "ext4";
    } else if (key == "old-wwn") {
      fingerprint_.wwn = value;
    } else if (key == "old-serial") {
      fingerprint_.serial = value;
    } else if (key == "old-part") {
      fingerprint_.part_uuid = value;
      fingerprint_.kind = DeviceKind::partition;
    } else {
      others_.push_back(key);
    }
  }
  [[nodiscard]] const std::vector<std::string>& others() const { return others_; }

 private:
  format::Fingerprint& fingerprint_;
  std::vector<Fact>& facts_;
  std::vector<std::string> others_;
};

void read_recorded(Case& one, std::istringstream& words) {
  format::Content content;
  content.identity.main = usual();
  format::RecordedFacts facts;
  Line line(content.identity.main, facts.main);
  bool old = false;
  for (std::string word; words >> word;) {
    if (word == "no-identity") {
      facts.main_has_no_identity = true;
    } else if (word == "clean") {
      content.health.clean = true;
    } else if (word == "version-1") {
      old = true;
    } else {
      line.take(word);
    }
  }
  ASSERT_TRUE(line.others().empty()) << one.name << ": " << line.others().front();
  if (!old) content.facts = facts;
  one.recorded = recorded_main(content);
}

void read_present(Case& one, std::istringstream& words) {
  DiskNames disk;
  format::Fingerprint unused;
  Line line(unused, disk.facts);
  words >> disk.name;
  for (std::string word; words >> word;) {
    if (word == "several-paths") {
      disk.several_paths = true;
    } else {
      line.take(word);
    }
  }
  one.present.push_back(std::move(disk));
}

std::vector<Case> read_cases() {
  std::ifstream file(DMREMAP_IDENTITY_CASES);
  std::vector<Case> out;
  for (std::string text; std::getline(file, text);) {
    std::istringstream words(text);
    std::string what;
    if (!(words >> what) || what.front() == '#') continue;
    if (what == "case") {
      out.emplace_back();
      words >> out.back().name;
      out.back().seen.fingerprint = usual();
    } else if (what == "recorded") {
      read_recorded(out.back(), words);
    } else if (what == "seen") {
      Line line(out.back().seen.fingerprint, out.back().seen.facts);
      for (std::string word; words >> word;) line.take(word);
      EXPECT_TRUE(line.others().empty()) << out.back().name;
    } else if (what == "present") {
      read_present(out.back(), words);
    } else if (what == "=>") {
      std::getline(words >> std::ws, out.back().outcome);
    } else {
      ADD_FAILURE() << "what is " << what;
    }
  }
  return out;
}

std::string outcome_of(const IdentityVerdict& verdict) {
  std::string out(verdict.by_consent ? "by-consent" : name_of(verdict.identity));
  if (verdict.contents_changed) out += " changed";
  if (verdict.resized) out += " resized";
  if (verdict.reblocked) out += " reblocked";
  return out;
}

class IdentityCases : public ::testing::TestWithParam<Case> {};

TEST_P(IdentityCases, Promise8_AreDecidedSo) {
  const Case& one = GetParam();
  const IdentityVerdict verdict = identify(one.recorded, one.seen, shared_facts(one.present));
  EXPECT_EQ(outcome_of(verdict), one.outcome) << in_words(verdict);
  // Whatever is refused is explained.
  if (verdict.identity == Identity::different) {
    EXPECT_FALSE(verdict.differs.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Table, IdentityCases, ::testing::ValuesIn(read_cases()),
                         [](const auto& row) { return row.param.name; });

TEST(Identity, TheTableIsThere) {
  EXPECT_GE(read_cases().size(), 60U);
}

TEST(Identity, Promise8_OneConsentIsEnough) {
  for (const Case& one : read_cases()) {
    format::Content content;
    content.identity.main = one.recorded.fingerprint;
    content.identity.main.fs_uuid = one.seen.fingerprint.fs_uuid;
    content.facts = merge_main_facts(one.recorded, one.seen, true);
    content.health.clean = true;
    // What is taken by its place must have one.
    DeviceFacts again = one.seen;
    again.facts.push_back({FactKind::path, "/dev/here"});
    content.facts->main.push_back({FactKind::path, "/dev/here"});
    if (content.identity.main.fs_uuid.empty()) continue;
    const auto verdict = identify(recorded_main(content), again, shared_facts(one.present));
    const bool shared = !shared_facts(one.present).empty();
    if (shared && !verdict.is_plainly_main()) continue;
    EXPECT_TRUE(verdict.is_plainly_main()) << one.name << ": " << in_words(verdict);
  }
}

TEST(Identity, ConsentKeepsWhatWasRecordedBeside) {
  RecordedMain before;
  before.fingerprint = usual();
  before.facts = {{FactKind::naa, "5000c50000000001"}, {FactKind::attachment, "boot/disk 1"}};
  DeviceFacts dock;
  dock.fingerprint = usual();
  dock.facts = {{FactKind::naa, "3000000000000002"}, {FactKind::path, "/dev/sdb"}};
  const auto after = merge_main_facts(before, dock, true);
  const std::vector<Fact> expected{{FactKind::naa, "3000000000000002"},
                                   {FactKind::naa, "5000c50000000001"},
                                   {FactKind::path, "/dev/sdb"}};
  EXPECT_EQ(after.main, expected);
  EXPECT_FALSE(after.main_has_no_identity);
  EXPECT_EQ(merge_main_facts(before, dock, false).main.size(), 2U) << "never without a word";
}

TEST(Identity, ANameThatIsNotShownTodayIsKept) {
  RecordedMain before;
  before.fingerprint = usual();
  before.facts = {{FactKind::naa, "5000c50000000001"}, {FactKind::serial, "S1"}};
  DeviceFacts now;
  now.fingerprint = usual();
  now.facts = {{FactKind::serial, "S1"}};
  EXPECT_EQ(merge_main_facts(before, now, false).main,
            (std::vector<Fact>{{FactKind::serial, "S1"}, {FactKind::naa, "5000c50000000001"}}));
}

TEST(HardwareNames, KeepTheirType) {
  EXPECT_EQ(world_wide_name("naa.5000C500A1B2C3D4"), (Fact{FactKind::naa, "5000c500a1b2c3d4"}));
  EXPECT_EQ(world_wide_name("0x5000c500a1b2c3d4"), (Fact{FactKind::naa, "5000c500a1b2c3d4"}));
  EXPECT_EQ(world_wide_name("eui.0025385b71b0a1c2"), (Fact{FactKind::eui, "0025385b71b0a1c2"}));
  EXPECT_EQ(world_wide_name("eui.00000000000000010025385b71b0a1c2")->kind, FactKind::nguid);
  EXPECT_EQ(world_wide_name("uuid.4d1e0ce0-8a6c-4b41-9e3c-2bd9e0f4a001")->kind,
            FactKind::nvme_uuid);
  EXPECT_EQ(world_wide_name("nvme.144d-53344e-5353-00000001")->kind, FactKind::nvme_legacy);
  EXPECT_FALSE(world_wide_name("t10.ATA     disk"));
  EXPECT_FALSE(world_wide_name("naa.0000000000000000"));
  EXPECT_FALSE(world_wide_name(""));
}

TEST(HardwareNames, PlaceholdersNameNothing) {
  for (const char* const name : {"", "0", "42", "00000000", "0000-0000", "FFFFFFFF", "none",
                                 "Unknown", "0123456789ABCDEF", "152D00539000", "202006054D01",
                                 "QM00001", "VB1234-56789", "beaf11", "0000000000CA", "  "}) {
    EXPECT_TRUE(is_placeholder(name)) << name;
  }
  for (const char* const name : {"5000c500a1b2c3d4", "ZA1B2C3D", "S4EWNX0M123456"}) {
    EXPECT_FALSE(is_placeholder(name)) << name;
  }
}

TEST(HardwareNames, AnIdWithoutAMakerNamesNothing) {
  EXPECT_FALSE(world_wide_name("naa.5000000000000001"));
  EXPECT_FALSE(world_wide_name("naa.60000000000000000e00000000010001"));
  EXPECT_FALSE(world_wide_name("eui.0000000000000001"));
  EXPECT_TRUE(world_wide_name("naa.3333333000001770"));
  EXPECT_TRUE(world_wide_name("eui.000000000000000600a0752342269630"));
  // Reversed by udev 222 (coreos/bugs#903): no such types.
  EXPECT_FALSE(world_wide_name("0x11d6501453855002"));
  EXPECT_FALSE(world_wide_name("0xe98b6194ee25001"));
}

TEST(HardwareNames, OfABridgeAreOfOtherKindsThanTheDisks) {
  const auto kernel = [](const char* name) {
    if (std::string_view(name) == "device/wwid") return std::string("naa.5000c500a1b2c3d4");
    return std::string_view(name) == "device/page-80" ? std::string("ZA1B2C3D") : std::string();
  };
  const std::vector<Fact> direct{{FactKind::naa, "5000c500a1b2c3d4"},
                                 {FactKind::serial, "ZA1B2C3D"}};
  const std::vector<Fact> shown{{FactKind::bridge_id, "naa.5000c500a1b2c3d4"},
                                {FactKind::bridge_serial, "ZA1B2C3D"}};
  EXPECT_EQ(names_of_kernel(kernel, false), direct);
  EXPECT_EQ(names_of_kernel(kernel, true), shown);
  for (std::size_t i = 0; i < shown.size(); ++i) EXPECT_EQ(as_name_of_disk(shown[i]), direct[i]);
}

TEST(HardwareNames, WhatAtaIdReadBehindABridgeIsTheDisks) {
  std::map<std::string, std::string> udev{{"ID_BUS", "ata"},
                                          {"ID_WWN", "0x5000c500a1b2c3d4"},
                                          {"ID_SERIAL_SHORT", "ZA1B2C3D"},
                                          {"ID_USB_SERIAL_SHORT", "DD564198838AA"}};
  const auto property = [&udev](const char* name) { return udev[name]; };
  std::vector<Fact> names;
  add_names_of_udev(names, property, true);
  EXPECT_EQ(names, (std::vector<Fact>{{FactKind::naa, "5000c500a1b2c3d4"},
                                      {FactKind::serial, "ZA1B2C3D"},
                                      {FactKind::bridge_serial, "DD564198838AA"}}));
  udev = {{"ID_BUS", "usb"}, {"ID_SERIAL_SHORT", "DD564198838AA"}, {"ID_SERIAL", "Vendor_Model"}};
  names.clear();
  add_names_of_udev(names, property, true);
  EXPECT_EQ(names, (std::vector<Fact>{{FactKind::bridge_serial, "DD564198838AA"}}));
}

TEST(HardwareNames, UdevsTextsThatAreNoSerialNumberAreNone) {
  std::map<std::string, std::string> udev{{"ID_SERIAL", "TEAC_TEAC_FD-05PUW"}};
  const auto property = [&udev](const char* name) { return udev[name]; };
  std::vector<Fact> names;
  add_names_of_udev(names, property, false);
  EXPECT_TRUE(names.empty()) << "model and vendor (udisks#688)";
  udev = {{"ID_BUS", "scsi"}, {"ID_SERIAL_SHORT", "5000cca0541ae674"}};
  add_names_of_udev(names, property, false);
  EXPECT_TRUE(names.empty()) << "an id (util-linux#1143)";
}

TEST(Identity, ANameThatTwoDisksSharedProvesNothingEverSince) {
  DeviceFacts main;
  main.fingerprint = usual();
  main.facts = {{FactKind::naa, "5000c50000000001"}, {FactKind::serial, "S1"}};
  const SharedFacts shared{{FactKind::naa, "5000c50000000001"}};
  const auto recorded = merge_main_facts({}, main, false, shared);
  EXPECT_EQ(recorded.main, (std::vector<Fact>{{FactKind::serial, "S1"},
                                              {FactKind::shared_name, "1:5000c50000000001"}}));
  RecordedMain before;
  before.fingerprint = usual();
  before.facts = recorded.main;
  // The twin alone, without a serial number.
  DeviceFacts twin = main;
  twin.facts = {{FactKind::naa, "5000c50000000001"}};
  EXPECT_EQ(identify(before, twin, {}).identity, Identity::unproven);
  EXPECT_EQ(identify(before, main, {}).identity, Identity::same);
  EXPECT_EQ(merge_main_facts(before, main, false).main, recorded.main) << "it stays recorded";
}

TEST(Identity, ASerialNumberThatVersion5TookFromABridgeProvesOnceMore) {
  RecordedMain before;
  before.fingerprint = usual();
  before.facts = {{FactKind::serial, "DD5641988"}};
  DeviceFacts now;
  now.fingerprint = usual();
  now.facts = {{FactKind::bridge_serial, "DD5641988"}};
  EXPECT_EQ(identify(before, now, {}).identity, Identity::same);
  before.facts = merge_main_facts(before, now, false).main;
  EXPECT_EQ(before.facts, now.facts);
  EXPECT_EQ(identify(before, now, {}).identity, Identity::unproven);
}

TEST(Identity, AUuidThatSoftwareWroteProvesNothingOnOtherDisks) {
  RecordedMain before;
  before.fingerprint = usual();
  before.facts = {{FactKind::dm_uuid, "LVM-a"}, {FactKind::disk_below, "1:5000c50000000001"}};
  DeviceFacts now;
  now.fingerprint = usual();
  now.facts = before.facts;
  EXPECT_EQ(identify(before, now, {}).identity, Identity::same);
  now.facts[1].value = "1:5000c50000000002";
  EXPECT_EQ(identify(before, now, {}).identity, Identity::unproven);
  now.facts[1].value = "-";
  EXPECT_EQ(identify(before, now, {}).identity, Identity::unproven);
  EXPECT_FALSE(has_own_name(now.facts));
  // Set made before disks were recorded.
  before.facts.pop_back();
  EXPECT_EQ(identify(before, now, {}).identity, Identity::same);
}

}  // namespace
}  // namespace dmremap::discovery
