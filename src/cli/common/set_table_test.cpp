// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/set_table.hpp"

#include <gtest/gtest.h>

namespace dmremap::cli {
namespace {

TableRow row(const std::string& name, std::uint64_t lost, std::uint64_t gib) {
  TableRow out;
  out.set.name = name;
  out.set.pid = 42;
  out.set.state = lost > 0 ? "degraded" : "healthy";
  control::SetReport report;
  report.size_sectors = gib << 21U;
  report.lost_sectors = lost;
  control::SpareReport spare;
  spare.capacity_sectors = 2048;
  spare.free_sectors = 1536;
  report.spares = {spare};
  report.exports = {{"block", "/dev/loop" + std::to_string(gib), std::nullopt}};
  out.set.report = report;
  return out;
}

TableRow unknown(const std::string& name) {
  TableRow out;
  out.set.name = name;
  out.set.state = "stopped";
  out.set.conditions = {"stopped", "spare-away"};
  return out;
}

TEST(SetTable, HasAHeaderAndALineForEachSet) {
  EXPECT_EQ(print_table({row("backup", 3, 1), unknown("old")}, {}),
            "NAME    STATE        SIZE  LOST  REMAPPED  SPARE-USE  DEVICE\n"
            "backup  degraded    1 GiB     3         0        25%  /dev/loop1\n"
            "old     incomplete      -     -         -          -  -\n");
}

TEST(SetTable, ShowsTheColumnsThatAreAskedForWithoutHeadings) {
  EXPECT_EQ(
      print_table({row("a", 3, 1), row("b", 0, 2)}, {.columns = "lost,name", .headings = false}),
      "3  a\n0  b\n");
  EXPECT_EQ(print_table({row("a", 0, 1)}, {.columns = "+pid", .headings = false}),
            "a  healthy  1 GiB  0  0  25%  /dev/loop1  42\n");
}

TEST(SetTable, GivesSizesInBytesForScripts) {
  EXPECT_EQ(print_table({row("a", 0, 1)},
                        {.columns = "size,used,free", .headings = false, .bytes = true}),
            "1073741824  262144  786432\n");
}

TEST(SetTable, SortsNumbersByValueWithWhatIsUnknownLast) {
  const std::vector<TableRow> rows{unknown("u"), row("a", 9, 1), row("b", 10, 2), row("c", 1, 3)};
  EXPECT_EQ(print_table(rows, {.columns = "name", .ascending = "lost", .headings = false}),
            "c\na\nb\nu\n");
  EXPECT_EQ(print_table(rows, {.columns = "name", .descending = "lost", .headings = false}),
            "b\na\nc\nu\n");
}

TEST(SetTable, SortsTextByItsLetters) {
  EXPECT_EQ(print_table({row("b", 0, 1), row("a", 0, 1), row("c", 0, 1)},
                        {.columns = "name", .descending = "name", .headings = false}),
            "c\nb\na\n");
}

TEST(SetTable, NamesTheColumnsIfThereIsNoSuch) {
  const auto checked = check_form({.columns = "name,lots"});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::usage);
  EXPECT_EQ(checked.error().where, "lots");
  EXPECT_NE(checked.error().hint.find("lost"), std::string::npos);
  EXPECT_FALSE(check_form({.descending = "nothing"}));
  for (const std::string& name : table_columns())
    EXPECT_TRUE(check_form({.columns = name})) << name;
}

TEST(SetTable, NamesAloneNeedNoDevice) {
  EXPECT_FALSE(needs_reports({.columns = "name,uuid"}));
  EXPECT_TRUE(needs_reports({.columns = "name", .ascending = "lost"}));
  EXPECT_TRUE(needs_reports({}));
}

TEST(StateWord, SaysWhatIsMissingAndWhatDied) {
  KnownSet set;
  set.state = "stopped";
  set.conditions = {"stopped"};
  EXPECT_EQ(state_word(set), "stopped");
  set.conditions = {"stopped", "died"};
  EXPECT_EQ(state_word(set), "died");
  set.conditions = {"stopped", "main-missing"};
  EXPECT_EQ(state_word(set), "incomplete");
  set.pid = 1;
  set.state = "healthy";
  EXPECT_EQ(state_word(set), "healthy");
}

}  // namespace
}  // namespace dmremap::cli
