// SPDX-License-Identifier: GPL-2.0-or-later
// What a running set answers over its control socket around a power-off and a hand-over.
#include "daemon/set_service.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "control/protocol.hpp"
#include "discovery/assembly.hpp"
#include "os/line_socket.hpp"
#include "rig/temporary_directory.hpp"
#include "set/create.hpp"

namespace dmremap::daemon {
namespace {

constexpr std::chrono::seconds kPatience{60};

// A device that may be handed over, and that none has but these tests.
class PlayedExports final : public Exports {
 public:
  [[nodiscard]] std::vector<control::ExportReport> reports() const override { return {}; }
  Result<void> stop(ConnectedClients /*clients*/) override { return {}; }
  [[nodiscard]] bool ended() const override { return false; }
  [[nodiscard]] Result<void> check_hand_over() const override { return {}; }
  Result<void> hand_over(const std::function<bool()>& is_wanted) override {
    ++hand_overs;
    return is_wanted() ? answer : fail(ErrorCode::timeout, "nobody takes it");
  }
  Result<void> hold_changes(const std::function<Result<void>()>& record) override {
    return answer ? record() : answer;
  }

  Result<void> answer;
  int hand_overs = 0;
};

// A client of the control socket, and what the server has of it.
class Client {
 public:
  Client() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      std::abort();
    near_.emplace(FileDescriptor(ends[0]));
    far_.emplace(FileDescriptor(ends[1]));
  }
  void go_away() { near_.reset(); }
  // The error; none if it was done. Nobody hears it of a client that is gone.
  template <typename Request>
  std::optional<Error> ask(const control::Handlers& handlers, const Request& request) {
    control::Call call(*far_, {});
    (void)(*handlers.find(Request::kVerb))(control::request_of(request), call);
    if (!near_) return std::nullopt;
    const auto line = near_->read_line(std::size_t{1} << 20, kPatience);
    if (!line || !*line) return Error{ErrorCode::internal, "no answer", "", ""};
    const auto answer = control::parse_answer(**line);
    return answer ? std::nullopt : std::optional(answer.error());
  }

 private:
  std::optional<os::LineSocket> near_;
  std::optional<os::LineSocket> far_;
};

class SetServiceTest : public ::testing::Test {
 protected:
  SetServiceTest() {
    const std::string main = directory_.path() + "/main";
    const std::string spare = directory_.path() + "/spare";
    for (const std::string& path : {main, spare}) {
      std::ofstream(path).close();
      std::filesystem::resize_file(path, 32 * kMiB);
    }
    set::CreateOptions options;
    options.name = "data";
    options.main_path = main;
    options.spare_path = spare;
    const discovery::Hints none(directory_.path() + "/hints");
    EXPECT_TRUE(set::create(options, none, system_clock(), system_random()));
    discovery::DeviceLook look;
    const auto found = discovery::find_spare({spare, main}, look);
    const auto members = discovery::find_main(*found, {"", main}, look);
    look.close();
    set::OpenOptions open;
    open.accept_main = main;
    open.meanwhile = [this] { ++meanwhile_; };
    auto set = set::RunningSet::open(*members, open, system_clock(), system_random());
    if (!set) {
      ADD_FAILURE() << set.error().message();
      return;
    }
    set_ = set->get();
    auto exports = std::make_unique<PlayedExports>();
    exports_ = exports.get();
    service_ = std::make_unique<SetService>(std::move(*set), std::move(exports),
                                            std::vector<std::string>());
    handlers_ = service_->handlers();
  }
  ~SetServiceTest() override {
    if (service_) (void)service_->stop(ConnectedClients::refuse);
  }
  template <typename Request>
  std::optional<Error> ask(const Request& request) {
    return Client().ask(handlers_, request);
  }
  template <typename Request>
  void expect_refused(const Request& request) {
    const auto refusal = ask(request);
    ASSERT_TRUE(refusal) << Request::kVerb;
    EXPECT_EQ(refusal->code, ErrorCode::read_only) << Request::kVerb;
    EXPECT_NE(refusal->what.find("to be turned off"), std::string::npos) << refusal->what;
  }

  TemporaryDirectory directory_;
  int meanwhile_ = 0;
  set::RunningSet* set_ = nullptr;
  PlayedExports* exports_ = nullptr;
  std::unique_ptr<SetService> service_;
  control::Handlers handlers_;
};

TEST_F(SetServiceTest, WhatIsDoneWhileASetIsActivatedIsDoneOnceAndBeforeItIsThere) {
  EXPECT_EQ(meanwhile_, 1);
  EXPECT_EQ(set_->status().term, 2U) << "and it is activated";
}

// What is changed after the record of the clean stop would not be in it.
TEST_F(SetServiceTest, Promise12_NothingIsChangedOnceItsCleanStopIsRecorded) {
  const SectorRange range{{64}, {8}};
  EXPECT_FALSE(ask(control::MarkRequest{{}, {{range}}, false}));
  ASSERT_FALSE(ask(control::PowerOffRequest{}));
  const std::uint64_t sequence = set_->status().sequence;
  expect_refused(control::RemapRequest{{range}});
  expect_refused(control::UnremapRequest{{range}});
  expect_refused(control::RetryRequest{{range}});
  expect_refused(control::MarkRequest{{{range}}, {}, false});
  expect_refused(control::SpareGrowRequest{});
  expect_refused(control::ScrubRequest{"start", true, std::nullopt, std::nullopt});
  expect_refused(control::SettleRequest{});
  expect_refused(control::CopiedRequest{});
  expect_refused(control::HandOverRequest{});
  EXPECT_EQ(exports_->hand_overs, 0);
  EXPECT_EQ(set_->status().sequence, sequence);
  EXPECT_FALSE(ask(control::PowerOffRequest{})) << "a second time it is done already";
  EXPECT_FALSE(ask(control::StatusRequest{}));
  EXPECT_FALSE(ask(control::StopRequest{}));
}

TEST_F(SetServiceTest, AfterAPowerOffThatCameToNothingItIsChangedAndScannedAsBefore) {
  exports_->answer = fail(ErrorCode::timeout, "a device does not answer");
  EXPECT_TRUE(ask(control::PowerOffRequest{}));
  EXPECT_FALSE(ask(control::RemapRequest{{{{64}, {8}}}}));
  EXPECT_FALSE(ask(control::ScrubRequest{"start", true, std::nullopt, std::nullopt}));
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (set_->scanner()->status().passes == 0 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(set_->scanner()->status().passes, 1U);
}

// The users of the device would wait for a process that does not come.
TEST_F(SetServiceTest, NothingIsHandedOverToAClientThatIsGone) {
  Client client;
  client.go_away();
  (void)client.ask(handlers_, control::HandOverRequest{});
  EXPECT_EQ(exports_->hand_overs, 0);
  EXPECT_FALSE(service_->is_handed_over());
  EXPECT_FALSE(ask(control::HandOverRequest{}));
  EXPECT_TRUE(service_->is_handed_over());
}

}  // namespace
}  // namespace dmremap::daemon
