// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/waiting_mounts.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace dmremap::cli {
namespace {

claims::Claim claim() {
  claims::Claim out;
  out.name = "my-set";
  out.main.facts = {{format::FactKind::serial, "ZA1"},
                    {format::FactKind::file_system_uuid, "1234-ABCD"},
                    {format::FactKind::file_system_label, "a b"}};
  return out;
}

TEST(WaitingMounts, AreThoseOfTheSetsDeviceAndOfMainsFileSystem) {
  const auto units = device_units_of(claim());
  const auto has = [&](const char* unit) { return std::ranges::find(units, unit) != units.end(); };
  EXPECT_TRUE(has("dev-dm\\x2dremap-my\\x2dset.device"));
  EXPECT_TRUE(has("dev-dm\\x2dremap-my\\x2dset\\x2dpart2.device"));
  EXPECT_TRUE(has("dev-disk-by\\x2duuid-1234\\x2dABCD.device"));
  EXPECT_TRUE(std::ranges::none_of(units, [](const std::string& unit) {
    return unit.find("label") != std::string::npos;
  })) << "udev encodes such a label in its own way";
}

TEST(WaitingMounts, AreThoseOfFileSystemsOnItsPartitions) {
  claims::Claim one = claim();
  one.links = {"/dev/disk/by-label/a\\x20b", "/dev/disk/by-uuid/1234-ABCD",
               "/dev/disk/by-uuid/99-EF"};
  const auto units = device_units_of(one);
  EXPECT_EQ(std::ranges::count(units, "dev-disk-by\\x2duuid-99\\x2dEF.device"), 1);
  EXPECT_EQ(std::ranges::count(units, "dev-disk-by\\x2duuid-1234\\x2dABCD.device"), 1);
  EXPECT_EQ(std::ranges::count(units, "dev-disk-by\\x2dlabel-a\\x5cx20b.device"), 1)
      << "as udev has encoded it";
}

TEST(WaitingMounts, OnlyTheirJobsAreTaken) {
  const std::string list =
      "  72 dev-disk-by\\x2duuid-1234\\x2dABCD.device start running\n"
      " 101 mnt.mount                               start waiting\n"
      "   9 dev-dm\\x2dremap-my\\x2dset.device         start running\n"
      "  10 dev-dm\\x2dremap-my-set.device            start running\n";
  EXPECT_EQ(jobs_for(list, device_units_of(claim())), (std::vector<std::string>{"72", "9"}));
  EXPECT_TRUE(jobs_for("No jobs running.\n", device_units_of(claim())).empty());
}

// On a loaded machine systemd may not answer in time, and what waits for the set would wait on.
TEST(WaitingMounts, AreFailedAlsoWhereSystemdDoesNotAnswerAtOnce) {
  unsigned silent = 2;
  std::vector<std::string> cancelled;
  const auto systemctl = [&](const std::vector<std::string>& arguments) {
    os::ProgramEnd end;
    if (arguments.front() == "cancel") {
      cancelled = arguments;
    } else if (silent > 0) {
      --silent;
      end.how = os::ProgramEnd::How::timed_out;
    } else {
      end.output = "  9 dev-dm\\x2dremap-my\\x2dset.device start running\n";
    }
    return end;
  };
  EXPECT_EQ(cancel_jobs_for(claim(), systemctl), "");
  EXPECT_EQ(cancelled, (std::vector<std::string>{"cancel", "9"}));
  silent = 99;
  EXPECT_NE(cancel_jobs_for(claim(), systemctl), "");
}

}  // namespace
}  // namespace dmremap::cli
