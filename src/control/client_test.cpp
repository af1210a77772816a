// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/client.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/file_descriptor.hpp"
#include "control/messages.hpp"
#include "os/json_line.hpp"
#include "os/unix_socket.hpp"

namespace dmremap::control {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kLong{20'000};

TEST(Client, ASetThatEndsWithoutAnswerIsNotRunning) {
  std::string directory = testing::TempDir() + "dmremap-client-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/data.sock";
  {
    const auto listener = os::listen_at(path);
    auto client = Client::connect(path);
    ASSERT_TRUE(client);
    const FileDescriptor other(::accept(listener->get(), nullptr, nullptr));
    ::shutdown(other.get(), SHUT_RDWR);
    EXPECT_EQ(client->call(PingRequest{}, kLong).error().code, ErrorCode::not_running);
  }
  std::filesystem::remove_all(directory);
}

// As a server does that takes no more clients: it does not wait for what they want.
TEST(Client, AnAnswerThatCameBeforeTheRequestIsHeard) {
  std::string directory = testing::TempDir() + "dmremap-client-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/data.sock";
  {
    const auto listener = os::listen_at(path);
    auto client = Client::connect(path);
    ASSERT_TRUE(client);
    os::LineSocket other(FileDescriptor(::accept(listener->get(), nullptr, nullptr)));
    const Error busy{ErrorCode::timeout, "too many clients at once", {}, "try again"};
    ASSERT_TRUE(other.write_line(os::to_line(make_answer(busy)), kLong));
    { const os::LineSocket closed = std::move(other); }
    const auto answer = client->call(PingRequest{}, kLong);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().what, "too many clients at once");
  }
  std::filesystem::remove_all(directory);
}

TEST(Client, ASetThatDoesNotAnswerIsATimeout) {
  std::string directory = testing::TempDir() + "dmremap-client-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/data.sock";
  {
    const auto listener = os::listen_at(path);
    auto client = Client::connect(path);
    ASSERT_TRUE(client);
    EXPECT_EQ(client->call(PingRequest{}, milliseconds(50)).error().code, ErrorCode::timeout);
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace dmremap::control
