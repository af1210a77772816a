// SPDX-License-Identifier: GPL-2.0-or-later
// Reading what drives say, over answers written by hand (smart_examples/).
#include "health/smart.hpp"

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <gtest/gtest.h>

namespace dmremap::health {
namespace {

std::string example(const std::string& name) {
  std::ifstream file(std::filesystem::path(DMREMAP_SMART_EXAMPLES) / (name + ".json"));
  EXPECT_TRUE(file.is_open()) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Smart, AnAtaDisk) {
  const SmartReading it = read_smart(example("ata_disk"), 0);
  EXPECT_EQ(it.state, SmartState::read);
  EXPECT_EQ(it.model, "EXAMPLE DISK 4TB");
  EXPECT_EQ(it.serial, "EX-0001");
  EXPECT_EQ(it.wwn, "5000c50000bc614e");
  EXPECT_EQ(it.capacity_bytes, 4'000'787'030'016U);
  EXPECT_EQ(it.rotational, true);
  EXPECT_EQ(it.passed, true);
  EXPECT_EQ(it.reallocated, 16U);
  EXPECT_EQ(it.reported, 2U);
  EXPECT_EQ(it.pending, 8U);
  EXPECT_EQ(it.offline, 8U);
  EXPECT_EQ(it.read_recovery, (ErrorRecovery{true, 70}));
  EXPECT_EQ(it.write_recovery, (ErrorRecovery{false, 0}));
  EXPECT_EQ(it.defects, (std::vector<SectorRange>{{{4096}, {2}}, {{1'000'000}, {1}}}));
  EXPECT_TRUE(it.notes.empty());
}

TEST(Smart, AScsiDiskWithBlocksOf4096) {
  const SmartReading it = read_smart(example("scsi_disk"), 0);
  EXPECT_EQ(it.model, "EXAMPLE SAS12");
  EXPECT_EQ(it.reallocated, 12U);
  EXPECT_EQ(it.reported, 4U);
  EXPECT_EQ(it.pending, 1U);
  EXPECT_FALSE(it.offline.has_value());
  EXPECT_EQ(it.defects, (std::vector<SectorRange>{{{616}, {8}}, {{4000}, {16}}}));
}

TEST(Smart, AnNvmeDevice) {
  const SmartReading it = read_smart(example("nvme"), 8);
  EXPECT_EQ(it.state, SmartState::read);
  EXPECT_EQ(it.critical_warning, CriticalWarning::kUnreliable);
  EXPECT_EQ(it.media_errors, 5U);
  EXPECT_EQ(it.available_spare, 97U);
  EXPECT_EQ(it.available_spare_threshold, 10U);
  EXPECT_EQ(it.percentage_used, 104U);
  EXPECT_EQ(it.rotational, false);
  EXPECT_EQ(it.passed, false);
}

TEST(Smart, ADiskThatSleepsIsNoFailure) {
  const SmartReading it = read_smart(example("asleep"), 2);
  EXPECT_EQ(it.state, SmartState::asleep);
  EXPECT_EQ(it.reason, "the disk sleeps and was not woken");
}

TEST(Smart, ABridgeWithoutSmartSaysSo) {
  const SmartReading it = read_smart(example("bridge_without_smart"), 4);
  EXPECT_EQ(it.state, SmartState::unsupported);
  EXPECT_EQ(it.reason, "smartctl: Unknown USB bridge [0x1234:0x5678]");
}

TEST(Smart, WhatCannotBeACountIsLeftOutAndNamed) {
  const SmartReading it = read_smart(example("sparse_and_odd"), 0);
  EXPECT_EQ(it.state, SmartState::read);
  EXPECT_TRUE(it.model.empty());
  EXPECT_TRUE(it.serial.empty());
  EXPECT_FALSE(it.capacity_bytes.has_value());
  EXPECT_FALSE(it.passed.has_value());
  EXPECT_FALSE(it.reallocated.has_value());
  EXPECT_FALSE(it.pending.has_value());
  EXPECT_FALSE(it.offline.has_value());
  EXPECT_EQ(it.reported, 2U) << "the first of several packed numbers";
  EXPECT_EQ(it.notes.size(), 2U);
  EXPECT_EQ(it.notes[0], "attribute 5: 281474976710655 is no such value; left out");
  EXPECT_EQ(it.defects, (std::vector<SectorRange>{{{3}, {1}}}));
}

TEST(Smart, WhatIsNoAnswerHasAReason) {
  const auto reason_of = [](std::string_view output, unsigned status, SmartState state) {
    const SmartReading it = read_smart(output, status);
    EXPECT_EQ(it.state, state) << output;
    EXPECT_FALSE(it.reason.empty()) << output;
    return it.reason;
  };
  EXPECT_EQ(reason_of("", 127, SmartState::no_answer),
            "smartctl printed nothing (exit status 127)");
  reason_of("smartctl 6.6 2017-11-05 r4594\n", 0, SmartState::unreadable);
  reason_of(example("ata_disk").substr(0, 700), 0, SmartState::unreadable);
  EXPECT_EQ(reason_of("{\"hello\": 1}", 0, SmartState::unreadable), "the JSON is not smartctl's");
  reason_of("[]", 0, SmartState::unreadable);
  reason_of(std::string(5'000'000, ' '), 0, SmartState::unreadable);
  reason_of(std::string(1'000'000, '['), 0, SmartState::unreadable);
  reason_of("{\"smartctl\":{}}", 0, SmartState::unsupported);
  EXPECT_EQ(reason_of(R"({"smartctl":{"messages":[{"string":"open failed: No such device"}]}})", 2,
                      SmartState::no_answer),
            "smartctl: open failed: No such device");
}

TEST(Smart, DefectsBeyondTheDiskAreLeftOut) {
  const SmartReading it = read_smart(
      R"({"smartctl":{},"smart_status":{"passed":true},"user_capacity":{"bytes":51200},
          "ata_pending_defects_log":{"table":[{"lba":99},{"lba":100},{"lba":18446744073709551615}]}})",
      0);
  EXPECT_EQ(it.defects, (std::vector<SectorRange>{{{99}, {1}}}));
  EXPECT_EQ(it.notes.size(), 2U);
}

TEST(Smart, AnyBytesAreReadOrHaveAReason) {
  std::mt19937 random(1);
  std::vector<std::string> examples;
  for (const char* name : {"ata_disk", "scsi_disk", "nvme", "asleep", "sparse_and_odd"}) {
    examples.push_back(example(name));
  }
  for (unsigned round = 0; round < 20'000; ++round) {
    std::string text = examples[round % examples.size()];
    for (unsigned i = 0; i <= round % 4; ++i) {
      text[random() % text.size()] = "0123456789{}[]\",:nt-.e "[random() % 23];
    }
    const SmartReading it = read_smart(text, random() % 16);
    ASSERT_EQ(it.state == SmartState::read, it.reason.empty());
    ASSERT_LE(it.defects.size(), kDefectsMost);
    ASSERT_LE(it.notes.size(), 16U);
  }
}

class SmartBelief : public ::testing::Test {
 protected:
  SmartReading answer = read_smart(example("ata_disk"), 0);
  DiskIdentity disk{
      "EXAMPLE DISK 4TB", "EX-0001", "0x5000c50000bc614e", 4'000'787'030'016, false, false, ""};

  Belief belief() const { return belief_in(answer, disk).belief; }
};

TEST_F(SmartBelief, TheDiskItself) {
  EXPECT_EQ(belief(), Belief::same);
  disk.wwn.clear();
  EXPECT_EQ(belief(), Belief::same);
  disk.serial = " ex_0001 ";
  EXPECT_EQ(belief(), Belief::same);
  disk.serial.clear();
  disk.model = "EXAMPLE DISK";
  EXPECT_EQ(belief(), Belief::same) << "size and model, and no bridge";
}

TEST_F(SmartBelief, AnotherDisk) {
  for (const auto change : {0, 1, 2}) {
    DiskIdentity known = disk;
    if (change == 0) known.capacity_bytes -= 512;
    if (change == 1) known.wwn = "naa.5000c50000bc614f";
    if (change == 2) known = {disk.model, "EX-0002", "", disk.capacity_bytes, false, false, ""};
    const BeliefReason it = belief_in(answer, known);
    EXPECT_EQ(it.belief, Belief::other) << change;
    EXPECT_TRUE(it.reason.starts_with("the answer is of another disk: ")) << it.reason;
  }
}

// Every bay of such an enclosure shows the same number to the kernel, and another disk may answer.
TEST_F(SmartBelief, BehindABridgeOfSeveralBays) {
  disk = {"BRIDGE", "152D00539000", "", disk.capacity_bytes, true, false, ""};
  EXPECT_EQ(belief(), Belief::unproven);
  disk.earlier_serial = "EX-0001";
  EXPECT_EQ(belief(), Belief::same);
  disk.earlier_serial = "EX-0009";
  EXPECT_EQ(belief(), Belief::other);
}

TEST_F(SmartBelief, AloneBehindABridge) {
  disk = {"BRIDGE", "000000000000", "", disk.capacity_bytes, true, true, ""};
  EXPECT_EQ(belief(), Belief::same);
  disk.capacity_bytes = 0;
  EXPECT_EQ(belief(), Belief::unproven) << "nothing in common";
}

TEST_F(SmartBelief, APlaceholderProvesNothing) {
  answer.serial = disk.serial = "000000000000";
  answer.wwn = disk.wwn = "0000000000000000";
  answer.model.clear();
  EXPECT_EQ(belief(), Belief::unproven);
}

}  // namespace
}  // namespace dmremap::health
