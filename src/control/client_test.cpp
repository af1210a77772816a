// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/client.hpp"

#include <chrono>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/file_descriptor.hpp"
#include "control/messages.hpp"
#include "os/json_line.hpp"
#include "os/unix_socket.hpp"
#include "rig/temporary_directory.hpp"

namespace dmremap::control {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kLong{20'000};

class ClientTest : public testing::Test {
 protected:
  // The other end of the client's connection, as it is accepted.
  FileDescriptor accept() { return FileDescriptor(::accept(listener_->get(), nullptr, nullptr)); }

  const TemporaryDirectory temporary_;
  const std::string path_ = temporary_.path() + "/data.sock";
  const Result<FileDescriptor> listener_ = os::listen_at(path_);
  Result<Client> client_ = Client::connect(path_);
};

TEST_F(ClientTest, ASetThatEndsWithoutAnswerIsNotRunning) {
  ASSERT_TRUE(client_);
  const FileDescriptor other = accept();
  ::shutdown(other.get(), SHUT_RDWR);
  EXPECT_EQ(client_->call(PingRequest{}, kLong).error().code, ErrorCode::not_running);
}

// As a server does that takes no more clients: it does not wait for what they want.
TEST_F(ClientTest, AnAnswerThatCameBeforeTheRequestIsHeard) {
  ASSERT_TRUE(client_);
  os::LineSocket other(accept());
  const Error busy{ErrorCode::timeout, "too many clients at once", {}, "try again"};
  ASSERT_TRUE(other.write_line(os::to_line(make_answer(busy)), kLong));
  { const os::LineSocket closed = std::move(other); }
  const auto answer = client_->call(PingRequest{}, kLong);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().what, "too many clients at once");
}

TEST_F(ClientTest, ASetThatDoesNotAnswerIsATimeout) {
  ASSERT_TRUE(client_);
  EXPECT_EQ(client_->call(PingRequest{}, milliseconds(50)).error().code, ErrorCode::timeout);
}

}  // namespace
}  // namespace dmremap::control
