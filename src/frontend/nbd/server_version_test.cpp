// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/nbd/server_version.hpp"

#include <gtest/gtest.h>

namespace dmremap::nbd {
namespace {

TEST(ServerVersion, IsReadFromWhatNbdkitPrints) {
  EXPECT_EQ(parse_server_version("nbdkit 1.32.5 (nbdkit-1.32.5-1)\n"), (ServerVersion{1, 32, 5}));
  EXPECT_EQ(parse_server_version("nbdkit 2.0.11"), (ServerVersion{2, 0, 11}));
}

TEST(ServerVersion, AnythingElseIsNone) {
  for (const char* text : {"", "nbdkit", "nbdkit 1.32", "qemu-nbd 7.2.0", "nbdkit x.y.z"}) {
    EXPECT_EQ(parse_server_version(text), std::nullopt) << text;
  }
}

TEST(ServerVersion, SeveralThreadsAConnectionOnlyWhereLostClientsAreSurvived) {
  EXPECT_FALSE(survives_lost_clients(std::nullopt));
  EXPECT_FALSE(survives_lost_clients(ServerVersion{1, 32, 5}));
  EXPECT_FALSE(survives_lost_clients(ServerVersion{1, 33, 9}));
  EXPECT_TRUE(survives_lost_clients(ServerVersion{1, 33, 10}));
  EXPECT_TRUE(survives_lost_clients(ServerVersion{1, 34, 0}));
}

}  // namespace
}  // namespace dmremap::nbd
