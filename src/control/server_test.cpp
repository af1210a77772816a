// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/server.hpp"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/base64.hpp"
#include "control/client.hpp"
#include "control/protocol.hpp"
#include "control/table_json.hpp"
#include "os/json_line.hpp"
#include "os/line_socket.hpp"
#include "os/unix_socket.hpp"

namespace dmremap::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr milliseconds kLong{20'000};

class FakeSet final : public Service {
 public:
  nlohmann::json status() override { return {{"name", "data"}}; }

  std::vector<format::Event> events(std::uint64_t after, milliseconds timeout) override {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, timeout, [&] { return events_.size() > after; });
    std::vector<format::Event> out;
    for (std::size_t i = after; i < events_.size(); ++i) out.push_back(events_[i]);
    return out;
  }

  Result<remap::Relocation> relocate(SectorRange range, const StopCondition& stop) override {
    while (range.first.value == 777 && !stop()) std::this_thread::sleep_for(milliseconds(1));
    if (range.first.value == 777) ended_early.store(true);
    if (range.first.value == 666) return fail(ErrorCode::spare_full, "the spare is full");
    return remap::Relocation{range.count, {0}, {0}};
  }

  Result<remap::Returned> unremap(SectorRange range, const StopCondition& /*stop*/) override {
    return remap::Returned{range.count, {1}, {2}, {2050}, EIO};
  }
  Result<table::Marked> mark_known_bad(const table::KnownBad& list, bool dry_run) override {
    marked = list;
    return table::Marked{{dry_run ? 1U : 2U}, {3}, {4}};
  }
  Result<remap::Backfilled> backfill(const remap::Backfill& fill) override {
    filled = fill;
    filled_data.assign(fill.data.begin(), fill.data.end());
    return remap::Backfilled{{7}, {fill.gone_too ? 1U : 0U}, {2}};
  }
  Result<set::Moment> settle() override {
    if (in_use) return fail(ErrorCode::device_in_use, "a write does not end", "data", "wait");
    return set::Moment{run, 12};
  }
  Result<void> note_copy(const set::CopyMade& copy) override {
    if (copy.since.writes == 666) return fail(ErrorCode::copy_outdated, "was written to");
    copied = copy;
    return {};
  }
  Result<DiskMap> disk_map() override {
    using format::Extent;
    using format::State;
    return DiskMap{
        {4096},
        {Extent(State::lost, {{8}, {2}}).with_evidence(EIO, 7, 1'700'000'000'000'000'000),
         Extent(State::remapped, {{20}, {4}}, {3072})},
        {8},
        77};
  }

  Result<void> stop() override {
    if (in_use) return fail(ErrorCode::device_in_use, "mounted on /mnt", "data", "unmount it");
    return {};
  }

  void add_event() {
    {
      const std::lock_guard lock(mutex_);
      format::Event event;
      event.number = events_.size() + 1;
      event.kind = format::EventKind::remap;
      events_.push_back(event);
    }
    arrived_.notify_all();
  }

  std::atomic<bool> in_use = false;
  std::atomic<bool> ended_early = false;  // the relocation at 777, which takes until nobody waits
  table::KnownBad marked;                 // by the last request
  remap::Backfill filled;                 // likewise; its data is in the next
  std::vector<std::byte> filled_data;
  set::CopyMade copied;
  const Uuid run = *parse_uuid("5a5a5a5a-0000-4000-8000-000000000001");

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<format::Event> events_;
};

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "dmremap-server-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ + "/data.sock";
    start();
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  void start() {
    auto started = Server::start(path_, set_);
    ASSERT_TRUE(started) << started.error().message();
    server_ = std::move(*started);
  }
  Result<nlohmann::json> call(const nlohmann::json& request) {
    auto client = Client::connect(path_);
    if (!client) return tl::unexpected(client.error());
    return client->call(request, kLong);
  }
  os::LineSocket raw() { return os::LineSocket(std::move(*os::connect_to(path_))); }

  FakeSet set_;
  std::string directory_;
  std::string path_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, TheSocketIsForItsOwnerAlone) {
  struct stat st {};
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0600U);
}

TEST_F(ServerTest, AnswersSeveralRequestsOnOneConnection) {
  auto client = Client::connect(path_);
  ASSERT_TRUE(client);
  EXPECT_TRUE(client->call(make_request("ping"), kLong));
  EXPECT_EQ((*client->call(make_request("status"), kLong))["status"]["name"], "data");
}

TEST_F(ServerTest, PassesErrorsOfTheSetOn) {
  set_.in_use = true;
  const auto stopped = call(make_request("stop"));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::device_in_use);
  EXPECT_EQ(stopped.error().what, "mounted on /mnt");
}

TEST_F(ServerTest, ARemapWhoseClientHungUpIsEnded) {
  {
    auto client = raw();
    auto request = make_request("remap");
    request["first"] = 777;
    request["count"] = 8;
    ASSERT_TRUE(client.write_line(os::to_line(request), kLong));
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_FALSE(set_.ended_early);
  }
  for (int i = 0; i < 5000 && !set_.ended_early; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_TRUE(set_.ended_early);
}

TEST_F(ServerTest, ChecksTheRangeOfARemap) {
  auto request = make_request("remap");
  request["first"] = 2048;
  request["count"] = 8;
  EXPECT_EQ((*call(request))["relocated_sectors"], 8);
  request["first"] = 666;
  EXPECT_EQ(call(request).error().code, ErrorCode::spare_full);
  request["count"] = 0;
  EXPECT_EQ(call(request).error().code, ErrorCode::usage);
  request["count"] = -1;
  EXPECT_EQ(call(request).error().code, ErrorCode::usage);
  request["count"] = "8";
  EXPECT_EQ(call(request).error().code, ErrorCode::usage);
  request["count"] = std::uint64_t{1} << 63U;
  EXPECT_EQ(call(request).error().code, ErrorCode::usage);
}

TEST_F(ServerTest, AListOfSectorsArrivesAsItWasSent) {
  const std::vector<SectorRange> lost{{{8}, {4}}, {{100}, {1}}};
  auto request = make_request("mark");
  request["lost"] = to_json(lost);
  EXPECT_EQ((*call(request))["lost_sectors"], 2);
  EXPECT_EQ(set_.marked.lost, lost);
  EXPECT_TRUE(set_.marked.suspect.empty());
  request["dry_run"] = true;
  EXPECT_EQ((*call(request))["lost_sectors"], 1);
  using nlohmann::json;
  for (const json& wrong : {json("8"), json{8}, json{8, 0}, json{8, -1}, json{8, "1"}, json{8, 1.5},
                            json{std::uint64_t{1} << 40U, 1}, json{1, ~std::uint64_t{0}}}) {
    request["lost"] = wrong;
    EXPECT_EQ(call(request).error().code, ErrorCode::protocol) << wrong;
  }
}

TEST_F(ServerTest, AListAsLongAsATableFits) {
  std::vector<SectorRange> lost;
  for (std::uint64_t i = 0; i < 11'000; ++i) lost.push_back({{(1ULL << 39U) + i * 4096}, {2048}});
  auto request = make_request("mark");
  request["lost"] = to_json(lost);
  ASSERT_TRUE(call(request));
  EXPECT_EQ(set_.marked.lost, lost);
}

TEST_F(ServerTest, TheDataOfABackfillArrivesAsItWasSent) {
  const std::vector<SectorRange> ranges{{{8}, {1}}, {{100}, {1023}}};
  std::vector<std::byte> data(1024 * kSectorBytes);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 7 / 3);
  auto request = make_request("backfill");
  request["ranges"] = to_json(ranges);
  request["data"] = to_base64(data);
  request["as_of"] = 41;
  request["gone"] = true;
  ASSERT_LT(os::to_line(request).size(), kMaxRequestBytes);
  const auto answer = call(request);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ((*answer)["filled_sectors"], 7);
  EXPECT_EQ((*answer)["kept_gone_sectors"], 1);
  EXPECT_EQ((*answer)["unchanged_sectors"], 2);
  EXPECT_EQ(set_.filled.ranges, ranges);
  EXPECT_EQ(set_.filled.as_of, 41U);
  EXPECT_EQ(set_.filled_data, data);
  for (const char* field : {"data", "as_of", "gone", "ranges"}) {
    auto wrong = request;
    wrong[field] = nlohmann::json{1};
    EXPECT_EQ(call(wrong).error().code, ErrorCode::protocol) << field;
  }
  request["data"] = "=this is none=";
  EXPECT_EQ(call(request).error().code, ErrorCode::protocol);
}

TEST_F(ServerTest, TellsWhenNoWriteIsInFlight) {
  const auto answer = call(make_request("settle"));
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["run"], to_string(set_.run));
  EXPECT_EQ((*answer)["writes"], 12);
  set_.in_use = true;
  EXPECT_EQ(call(make_request("settle")).error().code, ErrorCode::device_in_use);
}

TEST_F(ServerTest, ACopyIsNoted) {
  const std::vector<SectorRange> left_out{{{8}, {1}}, {{100}, {2}}};
  auto request = make_request("copied");
  request["run"] = to_string(set_.run);
  request["writes"] = 12;
  request["left_out"] = to_json(left_out);
  ASSERT_TRUE(call(request));
  EXPECT_EQ(set_.copied.since.run, set_.run);
  EXPECT_EQ(set_.copied.since.writes, 12U);
  EXPECT_EQ(set_.copied.left_out, left_out);
  request["writes"] = 666;
  EXPECT_EQ(call(request).error().code, ErrorCode::copy_outdated);
  for (const char* field : {"run", "writes", "left_out"}) {
    auto wrong = request;
    wrong[field] = "1";
    EXPECT_EQ(call(wrong).error().code, ErrorCode::protocol) << field;
  }
}

TEST_F(ServerTest, TellsTheStatesOfSectors) {
  const auto answer = call(make_request("extents"));
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["size_sectors"], 4096);
  EXPECT_EQ((*answer)["unit_sectors"], 8);
  EXPECT_EQ((*answer)["sequence"], 77);
  const auto extents = extents_from_json((*answer)["extents"]);
  ASSERT_TRUE(extents);
  const auto whole = with_evidence(*extents, (*answer)["evidence"]);
  ASSERT_TRUE(whole);
  EXPECT_EQ(*whole, set_.disk_map()->extents);
  for (const char* wrong : {"{}", "[]", "[[0,5,7,1]]", "[[0,5,7,1],[0,5,7]]",
                            "[[0,5,7,1],[0,5,7,-1]]", "[[0,256,7,1],[0,5,7,1]]",
                            "[[1099511627775,5,7,1],[0,5,7,1]]", "[[0,5,7,1],[0,5,7,\"1\"]]"}) {
    EXPECT_FALSE(with_evidence(*extents, nlohmann::json::parse(wrong))) << wrong;
  }
  using nlohmann::json;
  for (const char* wrong : {"{}", "[1]", "[[1,2]]", "[[1,2,\"good\"]]", "[[1,0,\"lost\"]]",
                            "[[9,2,\"lost\"],[8,1,\"gone\"]]", "[[1,99999999,\"lost\"]]"}) {
    EXPECT_FALSE(extents_from_json(json::parse(wrong))) << wrong;
  }
}

TEST_F(ServerTest, AnUnremapTellsWhatStays) {
  auto request = make_request("unremap");
  EXPECT_EQ(call(request).error().code, ErrorCode::usage);
  request["first"] = 2048;
  request["count"] = 8;
  const auto answer = call(request);
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["returned_sectors"], 8);
  EXPECT_EQ((*answer)["first_kept_sector"], 2050);
  EXPECT_EQ((*answer)["errno"], EIO);
}

TEST_F(ServerTest, AFollowerGetsEventsAsTheyHappen) {
  set_.add_event();
  auto client = Client::connect(path_);
  ASSERT_TRUE(client);
  auto request = make_request("events");
  request["after"] = 0;
  request["follow"] = true;
  EXPECT_EQ((*client->call(request, kLong))["events"].size(), 1U);
  set_.add_event();
  EXPECT_EQ((*client->next(kLong))["events"][0]["seq"], 2);
}

TEST_F(ServerTest, GarbageIsAnsweredWithAnErrorAndHarmsNobodyElse) {
  os::LineSocket lines = raw();
  for (const char* garbage : {"", "garbage", "{\"version\":9,\"verb\":\"stop\"}",
                              "{\"version\":1,\"verb\":\"format-disk\"}"}) {
    ASSERT_TRUE(lines.write_line(garbage, kLong));
    const auto answer = lines.read_line(kMaxAnswerBytes, kLong);
    ASSERT_TRUE(answer && *answer) << garbage;
    EXPECT_EQ(parse_answer(**answer).error().code, ErrorCode::protocol) << garbage;
  }
  EXPECT_TRUE(call(make_request("ping")));
}

TEST_F(ServerTest, AnEndlessLineIsCutOff) {
  os::LineSocket lines = raw();
  const std::string endless(kMaxRequestBytes * 4, 'x');
  (void)lines.write_line(endless, kLong);
  const auto answer = lines.read_line(kMaxAnswerBytes, kLong);
  if (answer && *answer) {
    EXPECT_EQ(parse_answer(**answer).error().code, ErrorCode::protocol);
  }
  EXPECT_TRUE(call(make_request("ping")));
}

TEST_F(ServerTest, ClientsThatSayNothingDoNotKeepItFromEnding) {
  std::vector<os::LineSocket> silent;
  silent.reserve(Server::kMaxClients);
  for (int i = 0; i < 5; ++i) silent.push_back(raw());
  EXPECT_TRUE(call(make_request("ping")));
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ServerTest, TooManyClientsAreToldSo) {
  std::vector<os::LineSocket> silent;
  silent.reserve(Server::kMaxClients);
  for (unsigned i = 0; i < Server::kMaxClients; ++i) silent.push_back(raw());
  const auto answer = call(make_request("ping"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::timeout);
  silent.clear();
  // They are let go as soon as their threads have seen the end.
  Result<nlohmann::json> again = call(make_request("ping"));
  for (int i = 0; i < 200 && !again; ++i) {
    std::this_thread::sleep_for(milliseconds(20));
    again = call(make_request("ping"));
  }
  EXPECT_TRUE(again);
}

TEST_F(ServerTest, TheSocketOfADeadRunIsReplacedAndMeansNotRunning) {
  server_.reset();
  {
    const auto dead = os::listen_at(path_);  // closed without being removed, as by kill -9
    ASSERT_TRUE(dead);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  EXPECT_EQ(Client::connect(path_).error().code, ErrorCode::not_running);
  start();
  EXPECT_TRUE(call(make_request("ping")));
}

TEST_F(ServerTest, NoSocketAndAFileInItsPlaceMeanNotRunning) {
  EXPECT_EQ(Client::connect(directory_ + "/other.sock").error().code, ErrorCode::not_running);
  EXPECT_EQ(Client::connect(directory_ + "/none/other.sock").error().code, ErrorCode::not_running);
  std::ofstream(directory_ + "/file.sock") << "x";
  EXPECT_EQ(Client::connect(directory_ + "/file.sock").error().code, ErrorCode::not_running);
}

TEST_F(ServerTest, APathLongerThanASocketAddressWorks) {
  const std::string deep = directory_ + "/" + std::string(120, 'd');
  std::filesystem::create_directory(deep);
  const std::string path = deep + "/" + std::string(64, 'n') + ".sock";
  const auto server = Server::start(path, set_);
  ASSERT_TRUE(server) << server.error().message();
  auto client = Client::connect(path);
  ASSERT_TRUE(client);
  EXPECT_TRUE(client->call(make_request("ping"), kLong));
}

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
    EXPECT_EQ(client->call(make_request("ping"), kLong).error().code, ErrorCode::not_running);
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
    const auto answer = client->call(make_request("ping"), kLong);
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
    EXPECT_EQ(client->call(make_request("ping"), milliseconds(50)).error().code,
              ErrorCode::timeout);
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace dmremap::control
