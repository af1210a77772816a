// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/match.hpp"

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "discovery/fingerprint.hpp"

namespace dmremap::discovery {
namespace {

using format::DeviceKind;
using format::Fingerprint;

Fingerprint whole() {
  Fingerprint f;
  f.kind = DeviceKind::partition;
  f.size = {1'000'000};
  f.logical_block_bytes = 512;
  f.physical_block_bytes = 4096;
  f.wwn = "5000c50012345678";
  f.serial = "S1";
  f.model = "M";
  f.part_uuid = "P1";
  f.fs_uuid = "F1";
  f.fs_type = "ext4";
  f.path_hint = "/dev/sda1";
  return f;
}

void make_image(Fingerprint& f) {
  f.kind = DeviceKind::image;
  f.wwn = f.serial = f.model = f.part_uuid = "";
}

using Change = std::function<void(Fingerprint& recorded, Fingerprint& seen)>;

struct Row {
  const char* name;
  Change change;
  Likeness likeness;
  bool overridable;
  bool confirmed;
  std::string reason_has;
};

// GoogleTest finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}

std::vector<Row> device_rows() {
  using enum Likeness;
  return {
      {"EqualInAll", [](auto&, auto&) {}, same, false, true, ""},
      {"OtherPath", [](auto&, auto& s) { s.path_hint = "/dev/sdz9"; }, same, false, true, ""},
      {"OtherModelKindAndPhysicalBlock",
       [](auto&, auto& s) {
         s.model = "bridge";
         s.kind = DeviceKind::other;
         s.physical_block_bytes = 512;
       },
       same, false, true, ""},
      {"Shrank", [](auto&, auto& s) { s.size = {999'992}; }, different, false, false,
       "shrank by 8 sectors"},
      {"Grew", [](auto&, auto& s) { s.size = {1'000'008}; }, different, false, false,
       "grew by 8 sectors"},
      {"OtherLogicalBlock", [](auto&, auto& s) { s.logical_block_bytes = 4096; }, different, false,
       false, "logical block is 4096"},
      {"OtherWwn", [](auto&, auto& s) { s.wwn = "5000c50087654321"; }, different, false, false,
       "world-wide name"},
      {"SameWwnOtherSerial", [](auto&, auto& s) { s.serial = "USB1"; }, same, false, true, ""},
      {"NoWwnNowSameSerial", [](auto&, auto& s) { s.wwn = ""; }, same, false, true, ""},
      {"NoWwnNowOtherSerial",
       [](auto&, auto& s) {
         s.wwn = "";
         s.serial = "S2";
       },
       different, false, false, "serial number"},
      {"NoWwnRecordedOtherSerial",
       [](auto& r, auto& s) {
         r.wwn = "";
         s.serial = "S2";
       },
       different, false, false, "serial number"},
      {"NoHardwareNameNowSamePartition", [](auto&, auto& s) { s.wwn = s.serial = ""; }, same, false,
       true, ""},
      {"OtherPartitionOfTheDisk", [](auto&, auto& s) { s.part_uuid = "P2"; }, different, false,
       false, "partition UUID"},
      {"NoPartitionUuidNow", [](auto&, auto& s) { s.part_uuid = ""; }, same, false, true, ""},
  };
}

std::vector<Row> contents_rows() {
  using enum Likeness;
  return {
      {"SameHardwareOtherFileSystem", [](auto&, auto& s) { s.fs_uuid = "F2"; }, file_system_changed,
       true, true, "file system UUID is F2, recorded was F1"},
      {"SameHardwareFileSystemGone", [](auto&, auto& s) { s.fs_uuid = s.fs_type = ""; },
       file_system_changed, true, true, "missing"},
      {"SameHardwareFileSystemUnreadable",
       [](auto&, auto& s) {
         s.fs_uuid = "";
         s.fs_type = kUnreadableFileSystem;
       },
       same, false, true, ""},
      {"SameHardwareNoFileSystemRecorded", [](auto& r, auto&) { r.fs_uuid = r.fs_type = ""; }, same,
       false, true, ""},
      {"ImageSameFileSystem",
       [](auto& r, auto& s) {
         make_image(r);
         make_image(s);
       },
       same, false, true, ""},
      {"ImageOtherFileSystem",
       [](auto& r, auto& s) {
         make_image(r);
         make_image(s);
         s.fs_uuid = "F2";
       },
       different, true, false, "file system UUID"},
      {"ImageFileSystemGone",
       [](auto& r, auto& s) {
         make_image(r);
         make_image(s);
         s.fs_uuid = s.fs_type = "";
       },
       different, true, false, "missing"},
      {"ImageFileSystemUnreadable",
       [](auto& r, auto& s) {
         make_image(r);
         make_image(s);
         s.fs_uuid = "";
         s.fs_type = kUnreadableFileSystem;
       },
       same, false, false, ""},
      {"ImageWithoutFileSystemThenMade",
       [](auto& r, auto& s) {
         make_image(r);
         make_image(s);
         r.fs_uuid = r.fs_type = "";
       },
       same, false, false, ""},
      {"NothingKnownButSize",
       [](auto& r, auto& s) {
         make_image(r);
         make_image(s);
         r.fs_uuid = s.fs_uuid = r.fs_type = s.fs_type = "";
       },
       same, false, false, ""},
      {"DiskImageInPlaceOfTheDisk", [](auto&, auto& s) { make_image(s); }, same, false, true, ""},
  };
}

class MatchTable : public ::testing::TestWithParam<Row> {};

TEST_P(MatchTable, Decides) {
  Fingerprint recorded = whole();
  Fingerprint seen = whole();
  GetParam().change(recorded, seen);
  const MatchVerdict verdict = match(recorded, seen);
  EXPECT_EQ(name_of(verdict.likeness), name_of(GetParam().likeness)) << verdict.reason;
  EXPECT_EQ(verdict.overridable, GetParam().overridable);
  EXPECT_EQ(verdict.confirmed, GetParam().confirmed);
  EXPECT_NE(verdict.reason.find(GetParam().reason_has), std::string::npos) << verdict.reason;
  EXPECT_EQ(verdict.reason.empty(), verdict.likeness == Likeness::same);
}

std::string name_of_row(const ::testing::TestParamInfo<Row>& row) {
  return row.param.name;
}

INSTANTIATE_TEST_SUITE_P(Device, MatchTable, ::testing::ValuesIn(device_rows()), name_of_row);
INSTANTIATE_TEST_SUITE_P(Contents, MatchTable, ::testing::ValuesIn(contents_rows()), name_of_row);

}  // namespace
}  // namespace dmremap::discovery
