// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/disk_caption.hpp"

#include <gtest/gtest.h>

#include "view/markup.hpp"

namespace dmremap::view {
namespace {

using format::Extent;
using format::State;

MapFacts facts_of(std::span<const Extent> extents) {
  return {.name = "backup", .extents = extents, .size = {4096}, .shown = {{0}, {4096}}};
}

TEST(DiskCaption, WhatWasLostIsSaidInWords) {
  EXPECT_EQ(loss_line(facts_of({})), "nothing is lost");
  EXPECT_FALSE(facts_of({}).has_loss());
  const std::vector<Extent> table{Extent(State::suspect, {{8}, {8}}),
                                  Extent(State::lost, {{300}, {3}}),
                                  Extent(State::gone, {{511}, {1}})};
  EXPECT_EQ(loss_line(facts_of(table)), "4 sectors (2 KiB) cannot be read: 3 lost, 1 gone");
  EXPECT_TRUE(facts_of(table).has_loss());
  EXPECT_FALSE(facts_of(std::span(table).first(1)).has_loss());
}

TEST(DiskCaption, LossIsOfTheWholeDiskWhateverPartIsShown) {
  const std::vector<Extent> table{Extent(State::lost, {{300}, {1}})};
  MapFacts facts = facts_of(table);
  facts.shown = {{1000}, {8}};
  EXPECT_EQ(loss_line(facts), "1 sector (512 B) cannot be read: 1 lost, 0 gone");
  EXPECT_TRUE(facts.has_loss());
  EXPECT_EQ(region_line(facts), "sectors 1000+8 (4 KiB at 500 KiB) of 2 MiB");
}

TEST(DiskCaption, WhatDoesNotReadNowCountsAsLoss) {
  MapFacts facts = facts_of({});
  EXPECT_EQ(failing_line(facts), "");
  facts.failing = {1};
  EXPECT_TRUE(facts.has_loss());
  EXPECT_EQ(failing_line(facts), "1 sector on the spare does not read now");
  facts.failing = {2};
  EXPECT_EQ(failing_line(facts), "2 sectors on the spare do not read now");
}

TEST(DiskCaption, TheDiskIsNamedAsFarAsItIsKnown) {
  MapFacts facts = facts_of({});
  EXPECT_EQ(disk_line(facts), "disk: 2 MiB");
  facts.disk = {.path = "/dev/sdb", .model = "WD", .serial = "S1", .file_system = "ext4 \"a\""};
  EXPECT_EQ(disk_line(facts), "disk: /dev/sdb, WD, serial S1, 2 MiB, ext4 \"a\"");
}

TEST(DiskCaption, ASpareIsFullOnlyIfItIs) {
  EXPECT_EQ(spare_line({"/dev/sdc", {0}, {1000}}), "spare: /dev/sdc, 0 % used (0 B of 500 KiB)");
  EXPECT_EQ(spare_line({"/dev/sdc", {1}, {1000}}), "spare: /dev/sdc, 1 % used (512 B of 500 KiB)");
  EXPECT_EQ(spare_line({"", {999}, {1000}}), "spare: 99 % used (499.5 KiB of 500 KiB)");
  EXPECT_EQ(spare_line({"", {1000}, {1000}}), "spare: 100 % used (500 KiB of 500 KiB)");
}

// What the table divides because of evidence or size is one range for people.
TEST(DiskCaption, NeighboursAreOneRange) {
  std::vector<Extent> table{Extent(State::lost, {{100}, {8}}), Extent(State::lost, {{108}, {8}}),
                            Extent(State::gone, {{116}, {1}}), Extent(State::lost, {{118}, {2}}),
                            Extent(State::suspect, {{120}, {4}})};
  table[0].with_evidence(5, 7, 0);
  const auto bad = bad_ranges(table, {{0}, {4096}});
  ASSERT_EQ(bad.size(), 3U);
  EXPECT_EQ(bad_range_line(bad[0]), "lost: 100+16 (8 KiB at 50 KiB)");
  EXPECT_EQ(bad_range_line(bad[1]), "gone: 116+1 (512 B at 58 KiB)");
  EXPECT_EQ(bad_range_line(bad[2]), "lost: 118+2 (1 KiB at 59 KiB)");
  const auto cut = bad_ranges(table, {{104}, {6}});
  ASSERT_EQ(cut.size(), 1U);
  EXPECT_EQ(cut[0].range, (SectorRange{{104}, {6}}));
}

TEST(DiskCaption, PositionsOfAColumnShareAUnit) {
  const SectorCount gib = SectorCount::from_bytes(kGiB);
  EXPECT_EQ(position_text({0}, {gib.value * 40}), "0 GiB");
  EXPECT_EQ(position_text({gib.value * 4096}, {gib.value * 40}), "4096 GiB");
  EXPECT_EQ(position_text({gib.value / 2}, {gib.value * 3 / 2}), "0.5 GiB");
  EXPECT_EQ(position_text({16}, {16}), "8 KiB");
  EXPECT_EQ(position_text({1}, {1}), "0.5 KiB");
}

TEST(DiskCaption, ACellSaysWhatIsInIt) {
  const std::vector<Extent> table{Extent(State::lost, {{8}, {3}}),
                                  Extent(State::suspect, {{11}, {1}})};
  const Cells cells = make_cells(table, {{0}, {16}}, 2);
  EXPECT_EQ(cell_text(cells, 0), "0+8 at 0 B: good");
  EXPECT_EQ(cell_text(cells, 1), "8+8 at 4 KiB: 3 lost, 1 suspect");
}

TEST(DiskCaption, APartitionSaysWhereItIs) {
  EXPECT_EQ(partition_line({2, {{2048}, {4096}}, "ext4 \"home\""}),
            "partition 2: 2048+4096 (2 MiB at 1 MiB), ext4 \"home\"");
  EXPECT_EQ(partition_line({1, {{2048}, {4096}}, ""}), "partition 1: 2048+4096 (2 MiB at 1 MiB)");
}

TEST(Markup, PlainTextHasNoControls) {
  EXPECT_EQ(plain("a\x1b[31m\n<b>"), "a\\x1b[31m\\x0a<b>");
  EXPECT_EQ(plain("\xc3\xa4\xff"), "\xc3\xa4\ufffd");
  EXPECT_EQ(plain("\xc3\xa4\xff", true), "??");
}

}  // namespace
}  // namespace dmremap::view
