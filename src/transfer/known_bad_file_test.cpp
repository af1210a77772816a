// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/known_bad_file.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::transfer {
namespace {

using format::Extent;
using format::State;
using Ranges = std::vector<SectorRange>;

constexpr const char* kMapfile =
    "# Mapfile. Created by GNU ddrescue version 1.27\n"
    "0x00001000     ?               1\n"
    "0x00000000  0x00000200  +\n"
    "0x00000200  0x00000200  -\n"
    "0x00000400  0x00000400  /\n"
    "0x00000800  0x00000800  *\n"
    "0x00001000  0x00001000  ?\n";

KnownBadForm of(KnownBadFormat format, std::uint64_t block_bytes = 1024) {
  KnownBadForm out;
  out.format = format;
  out.block_bytes = block_bytes;
  return out;
}

KnownBadForm of_blocks(std::uint64_t block_bytes) {
  KnownBadForm out;
  out.block_bytes = block_bytes;
  return out;
}

TEST(KnownBadFile, OnlyWhatFailedOnItsOwnIsLost) {
  const auto list = parse_known_bad(kMapfile, "map", {});
  ASSERT_TRUE(list) << list.error().message();
  EXPECT_EQ(list->sectors.lost, (Ranges{{{1}, {1}}}));
  EXPECT_EQ(list->sectors.suspect, (Ranges{{{2}, {2}}, {{4}, {4}}}));
}

TEST(KnownBadFile, TheFirstLineShowsTheFormat) {
  EXPECT_EQ(parse_known_bad("# x\n\n12\n13\n", "list", {})->sectors.lost, (Ranges{{{24}, {4}}}));
  EXPECT_EQ(parse_known_bad("12\n", "list", of_blocks(4096))->sectors.lost, (Ranges{{{96}, {8}}}));
  EXPECT_TRUE(parse_known_bad("", "list", {})->sectors.lost.empty());
}

TEST(KnownBadFile, AFormatThatIsGivenIsNotGuessed) {
  EXPECT_EQ(parse_known_bad("12\n", "list", of(KnownBadFormat::ddrescue)).error().where, "list:1");
  EXPECT_EQ(parse_known_bad(kMapfile, "map", of(KnownBadFormat::badblocks)).error().where, "map:2");
  EXPECT_FALSE(parse_known_bad("12\n", "list", of_blocks(1000))) << "no size of blocks";
}

TEST(KnownBadFile, ARescueGoesOnFromAnExport) {
  const std::vector<Extent> table{Extent(State::lost, {{0}, {2}}), Extent(State::gone, {{2}, {1}}),
                                  Extent(State::remapped, {{8}, {8}}, {kFirstSpare, {9000}}),
                                  Extent(State::suspect, {{16}, {4}})};
  EXPECT_EQ(print_known_bad(table, {100}, {}),
            "# Mapfile. Created by dm-remap\n"
            "# current_pos  current_status  current_pass\n"
            "0x00000000     ?               1\n"
            "#      pos        size  status\n"
            "0x00000000  0x00000600  -\n"
            "0x00000600  0x00000A00  ?\n"
            "0x00001000  0x00001000  -\n"
            "0x00002000  0x00000800  *\n"
            "0x00002800  0x0000A000  ?\n");
  const auto list = parse_known_bad(print_known_bad(table, {100}, {}), "map", {});
  ASSERT_TRUE(list);
  EXPECT_EQ(list->sectors.lost, (Ranges{{{0}, {3}}, {{8}, {8}}})) << "as another set would take it";
  EXPECT_EQ(list->sectors.suspect, (Ranges{{{16}, {4}}}));
}

TEST(KnownBadFile, ABadblocksListHasEveryTouchedBlock) {
  const std::vector<Extent> table{Extent(State::lost, {{1}, {1}}),
                                  Extent(State::suspect, {{10}, {8}}),
                                  Extent(State::remapped, {{21}, {2}}, {kFirstSpare, {9000}})};
  EXPECT_EQ(print_known_bad(table, {100}, of(KnownBadFormat::badblocks)), "0\n10\n11\n");
  EXPECT_EQ(print_known_bad(table, {100}, of(KnownBadFormat::badblocks, 4096)), "0\n2\n");
}

TEST(KnownBadFile, AWholeDiskWithoutFaultsIsUntried) {
  EXPECT_NE(print_known_bad({}, {8}, {}).find("0x00000000  0x00001000  ?\n"), std::string::npos);
  EXPECT_EQ(print_known_bad({}, {8}, of(KnownBadFormat::badblocks)), "");
}

TEST(KnownBadFile, AMapfileSaysHowMuchWasRescued) {
  EXPECT_EQ(parse_known_bad(kMapfile, "map", {})->covered, SectorCount{16});
  EXPECT_EQ(parse_known_bad("0 ? 1\n0 1000 +\n", "map", {})->covered, SectorCount{2});
  EXPECT_FALSE(parse_known_bad("0 ? 1\n0 512 -\n512 0x7FFFFFFFFFFFFDFF ?\n", "map", {})->covered)
      << "of a device whose size ddrescue did not know";
  EXPECT_FALSE(parse_known_bad("12\n", "list", {})->covered);
}

TEST(KnownBadFile, MdsListsAndKernelLogsAreKnownByTheirText) {
  const auto md = parse_known_bad("264 8\n512 1\n", "bad_blocks", {});
  ASSERT_TRUE(md);
  EXPECT_EQ(md->format, KnownBadFormat::md);
  EXPECT_EQ(md->sectors.lost, (Ranges{{{264}, {8}}, {{512}, {1}}}));
  constexpr const char* kLog =
      "[1.0] critical medium error, dev sdb, sector 8 op 0x0:(READ) flags 0x0\n"
      "[1.1] I/O error, dev sdb, sector 16 op 0x0:(READ) flags 0x0\n";
  KnownBadForm form;
  form.device = "sdb";
  const auto log = parse_known_bad(kLog, "dmesg", form);
  ASSERT_TRUE(log);
  EXPECT_EQ(log->format, KnownBadFormat::kernel);
  EXPECT_EQ(log->sectors.lost, (Ranges{{{8}, {1}}}));
  EXPECT_EQ(log->sectors.suspect, (Ranges{{{16}, {1}}}));
  const auto unnamed = parse_known_bad(kLog, "dmesg", {});
  ASSERT_FALSE(unnamed);
  EXPECT_NE(unnamed.error().hint.find("--device"), std::string::npos);
}

TEST(KnownBadFile, ACompleteExportHasNothingUntried) {
  const std::vector<Extent> table{Extent(State::lost, {{0}, {2}}),
                                  Extent(State::suspect, {{16}, {4}})};
  KnownBadForm form;
  form.complete = true;
  EXPECT_EQ(print_known_bad(table, {100}, form),
            "# Mapfile. Created by dm-remap\n"
            "# current_pos  current_status  current_pass\n"
            "0x00000000     +               1\n"
            "#      pos        size  status\n"
            "0x00000000  0x00000400  -\n"
            "0x00000400  0x0000C400  +\n")
      << "what is suspect can be read";
}

class WriteKnownBad : public testing::Test {
 protected:
  void put(const std::string& text) { std::ofstream(path_) << text; }
  std::string get() {
    std::ostringstream out;
    out << std::ifstream(path_).rdbuf();
    return out.str();
  }
  const TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
  const std::string path_ = directory_ + "/list";
};

TEST_F(WriteKnownBad, AFileIsMadeOrReplacedWhole) {
  ASSERT_TRUE(write_known_bad(path_, "1\n2\n", false));
  EXPECT_EQ(get(), "1\n2\n");
  ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
  ASSERT_TRUE(write_known_bad(path_, "3\n", false));
  EXPECT_EQ(get(), "3\n");
  struct stat st {};
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0640U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1)
      << "no draft stays";
}

TEST_F(WriteKnownBad, TheProgressOfARescueIsNotOverwritten) {
  put(kMapfile);
  const auto refused = write_known_bad(path_, "1\n", false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::file_exists);
  EXPECT_EQ(get(), kMapfile);
  EXPECT_TRUE(write_known_bad(path_, print_known_bad({}, {8}, {}), true));
  EXPECT_TRUE(write_known_bad(path_, "1\n", false)) << "our own may be";
}

TEST_F(WriteKnownBad, ALinkIsFollowedNotReplaced) {
  put("old\n");
  const std::string link = directory_ + "/link";
  std::filesystem::create_symlink(path_, link);
  ASSERT_TRUE(write_known_bad(link, "1\n", false));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(get(), "1\n");
}

TEST_F(WriteKnownBad, WhatIsNoFileIsRefused) {
  EXPECT_EQ(write_known_bad(directory_, "1\n", false).error().code, ErrorCode::usage);
  EXPECT_FALSE(write_known_bad(directory_ + "/none/list", "1\n", false));
  EXPECT_TRUE(write_known_bad("/dev/null", "1\n", false));
}

TEST_F(WriteKnownBad, AnUnreadableListSaysSo) {
  EXPECT_EQ(read_known_bad(directory_ + "/none", {}).error().where, directory_ + "/none");
  EXPECT_FALSE(read_known_bad(directory_, {}));
  EXPECT_FALSE(read_known_bad("/dev/zero", {})) << "endless";
  put("1\nx\n");
  EXPECT_EQ(read_known_bad(path_, {}).error().where, path_ + ":2");
}

}  // namespace
}  // namespace dmremap::transfer
