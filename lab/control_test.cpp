// SPDX-License-Identifier: GPL-2.0-or-later
#include "control.hpp"

#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/runtime_directory.hpp"

namespace dmremap::lab {
namespace {

using nlohmann::json;

class ControlTest : public ::testing::Test {
 protected:
  ControlTest() {
    // Longer than a socket address can hold.
    std::string base = ::testing::TempDir() + "dmremap-lab-XXXXXX";
    base_ = ::mkdtemp(base.data());
    files_ = {base_ + "/" + std::string(120, 'd'), "lab-0123"};
    EXPECT_TRUE(os::make_runtime_directory(files_.directory));
  }
  ~ControlTest() override { std::filesystem::remove_all(base_); }

  // Serves one connection while `request` is asked.
  Result<json> exchange(const json& request, const ControlSocket::Answer& answer) {
    auto server = ControlSocket::listen(files_);
    EXPECT_TRUE(server);
    std::thread serving([&] {
      pollfd watched{.fd = server->descriptor(), .events = POLLIN, .revents = 0};
      EXPECT_EQ(::poll(&watched, 1, 10'000), 1);
      server->serve_one(answer);
    });
    auto client = ControlClient::connect(files_, "/mnt/disk");
    EXPECT_TRUE(client);
    auto result = client->ask(request);
    serving.join();
    return result;
  }

  std::string base_;
  RuntimeFiles files_;
};

TEST_F(ControlTest, AnswerComesBack) {
  const auto answer = exchange({{"op", "echo"}, {"n", 7}}, [](const json& request) -> Result<json> {
    return json{{"n", request.at("n")}};
  });
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(*answer, (json{{"n", 7}}));
}

TEST_F(ControlTest, ErrorComesBackWhole) {
  const auto answer = exchange({{"op", "x"}}, [](const json&) -> Result<json> {
    return fail(ErrorCode::device_in_use, "in use", "/mnt/disk", "wait");
  });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::device_in_use);
  EXPECT_EQ(answer.error().message(), "/mnt/disk: in use; wait");
}

TEST_F(ControlTest, MalformedRequestIsAnErrorAndNoCrash) {
  const auto answer = exchange({{"op", "x"}}, [](const json& request) -> Result<json> {
    return json{{"n", request.at("absent")}};
  });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::protocol);
}

TEST_F(ControlTest, SocketIsForItsOwnerAndGoesWithItsServer) {
  {
    const auto server = ControlSocket::listen(files_);
    ASSERT_TRUE(server);
    struct stat facts {};
    ASSERT_EQ(::stat(files_.socket().c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  }
  EXPECT_FALSE(std::filesystem::exists(files_.socket()));
}

TEST_F(ControlTest, NobodyThereIsNotRunning) {
  const auto client = ControlClient::connect(files_, "/mnt/disk");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::not_running);
}

TEST_F(ControlTest, SocketOfADeadServerIsNotRunningAndIsReplaced) {
  // Bound and never listened on, as a killed process leaves it.
  {
    auto dead = ControlSocket::listen(files_).value();
    std::filesystem::rename(files_.socket(), files_.socket() + "x");
  }
  std::filesystem::rename(files_.socket() + "x", files_.socket());
  const auto client = ControlClient::connect(files_, "/mnt/disk");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::not_running);
  EXPECT_TRUE(ControlSocket::listen(files_));
}

TEST(RuntimeFiles, EachMountFileHasItsOwn) {
  const auto one = RuntimeFiles::of("/mnt/one");
  const auto two = RuntimeFiles::of("/mnt/two");
  if (!one || !two) GTEST_SKIP() << "no runtime directory: set DMREMAP_RUNTIME_DIR";
  EXPECT_NE(one->socket(), two->socket());
  EXPECT_EQ(one->socket(), RuntimeFiles::of("/mnt/one")->socket());
}

}  // namespace
}  // namespace dmremap::lab
