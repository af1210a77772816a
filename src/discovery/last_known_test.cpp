// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/last_known.hpp"

#include <gtest/gtest.h>

namespace dmremap::discovery {
namespace {

format::Fingerprint disk() {
  format::Fingerprint out;
  out.size = {1000};
  out.model = "WDC WD10";
  out.serial = "WX99";
  out.fs_uuid = "0a";
  return out;
}

TEST(LastKnown, SaysWhatThePersonLooksFor) {
  EXPECT_EQ(last_known_in_words("/dev/sdb", disk(), nullptr),
            "was last seen at /dev/sdb (WDC WD10, serial number WX99, 1000 sectors, file system "
            "UUID 0a)");
  EXPECT_EQ(last_known_in_words("/dev/sdb", {}, nullptr), "was last seen at /dev/sdb");
  EXPECT_EQ(last_known_in_words("", disk(), nullptr), "");
}

TEST(LastKnown, SaysWhatIsAtThatPlaceNow) {
  CandidateFacts now;
  now.size = {8};
  EXPECT_EQ(last_known_in_words("/a", {}, &now),
            "was last seen at /a, which is now a file of 8 sectors");
  now.unopened =
      Error{ErrorCode::no_such_device, "cannot open: No such file or directory", "/a", ""};
  EXPECT_EQ(last_known_in_words("/a", {}, &now), "was last seen at /a, which is not there now");
  now.unopened->code = ErrorCode::permission;
  now.unopened->what = "cannot open: Permission denied";
  EXPECT_EQ(last_known_in_words("/a", {}, &now),
            "was last seen at /a, which cannot be looked at now: cannot open: Permission denied");
}

}  // namespace
}  // namespace dmremap::discovery
