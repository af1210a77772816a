// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/unix_socket.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::os {
namespace {

TEST(UnixSocket, AProcessThatAcceptsNobodyIsNotWaitedForForEver) {
  const std::string path = testing::TempDir() + "/accepts-nobody.sock";
  const auto listener = listen_at(path);
  ASSERT_TRUE(listener);
  std::vector<Result<FileDescriptor>> waiting;
  while (waiting.size() < 1000 && (waiting.empty() || waiting.back())) {
    waiting.push_back(connect_to(path));
  }
  ASSERT_FALSE(waiting.back());
  EXPECT_EQ(waiting.back().error().code, ErrorCode::timeout);
  std::filesystem::remove(path);
}

TEST(UnixSocket, NobodyListens) {
  EXPECT_EQ(connect_to(testing::TempDir() + "/no.sock").error().code, ErrorCode::not_running);
}

}  // namespace
}  // namespace dmremap::os
