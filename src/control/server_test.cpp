// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/server.hpp"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/file_descriptor.hpp"
#include "control/client.hpp"
#include "control/messages.hpp"
#include "control/protocol.hpp"
#include "control/table_json.hpp"
#include "os/json_line.hpp"
#include "os/line_socket.hpp"
#include "os/sealed_memory.hpp"
#include "os/unix_socket.hpp"
#include "rig/temporary_directory.hpp"

namespace dmremap::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr milliseconds kLong{20'000};
// What FakeSet takes with a backfill, whatever its ranges are.
constexpr std::size_t kBackfillBytes = 1024 * kSectorBytes;

class FakeSet {
 public:
  Handlers handlers() {
    Handlers out;
    out.on<PingRequest>([](const auto&, Call&) { return DoneReply{}; });
    out.on<StatusRequest>([](const auto&, Call&) {
      StatusReply reply;
      reply.status.name = "data";
      return reply;
    });
    out.on_stream<EventsRequest>(
        [this](const EventsRequest& request, Call& call) { return follow(request, call); });
    out.on<RemapRequest>(
        [this](const RemapRequest& request, Call& call) { return remap(request, call); });
    out.on<UnremapRequest>([](const UnremapRequest& request, Call&) {
      return UnremapReply{request.range.count, {1}, {2}, {2050}, EIO};
    });
    out.on<MarkRequest>([this](const MarkRequest& request, Call&) {
      marked = request;
      return MarkReply{{request.dry_run ? 1U : 2U}, {3}, {4}};
    });
    out.on<BackfillRequest>(
        [this](const BackfillRequest& request, Call& call) { return backfill(request, call); });
    out.on<SettleRequest>([this](const auto&, Call&) -> Result<SettleReply> {
      if (in_use) return fail(ErrorCode::device_in_use, "a write does not end", "data", "wait");
      return SettleReply{run, 12};
    });
    out.on<CopiedRequest>([this](const CopiedRequest& request, Call&) -> Result<DoneReply> {
      if (request.writes == 666) return fail(ErrorCode::copy_outdated, "was written to");
      copied = request;
      return DoneReply{};
    });
    out.on<ExtentsRequest>([](const auto&, Call&) { return disk_map(); });
    out.on<StopRequest>([this](const auto&, Call&) -> Result<DoneReply> {
      if (in_use) return fail(ErrorCode::device_in_use, "mounted on /mnt", "data", "unmount it");
      return DoneReply{};
    });
    return out;
  }

  Result<RemapReply> remap(const RemapRequest& request, const Call& call) {
    const Sector first = request.range.first;
    while (first.value == 777 && !call.is_abandoned()) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    if (first.value == 777) ended_early.store(true);
    if (first.value == 666) return fail(ErrorCode::spare_full, "the spare is full");
    return RemapReply{request.range.count, {0}, {0}};
  }

  Result<BackfillReply> backfill(const BackfillRequest& request, const Call& call) {
    auto data = os::read_sealed(call.data(), kBackfillBytes);
    if (!data) return failure_of(data);
    filled = request;
    filled_data = std::move(*data);
    return BackfillReply{{7}, {request.gone ? 1U : 0U}, {2}};
  }

  [[nodiscard]] static DiskMap disk_map() {
    using format::Extent;
    using format::State;
    return DiskMap{
        {4096},
        {Extent(State::lost, {{8}, {2}}).with_evidence(EIO, 7, 1'700'000'000'000'000'000),
         Extent(State::remapped, {{20}, {4}}, {kFirstSpare, {3072}})},
        {8},
        77};
  }

  bool follow(const EventsRequest& request, Call& call) {
    std::uint64_t after = request.after;
    for (auto timeout = milliseconds(0);; timeout = milliseconds(50)) {
      EventsReply reply{events_since(after, timeout)};
      if (!reply.events.empty()) after = reply.events.back().seq;
      if ((!reply.events.empty() || timeout == milliseconds(0)) && !call.send(reply)) return false;
      if (!request.follow) return true;
      if (call.is_abandoned()) return false;
    }
  }

  std::vector<EventReport> events_since(std::uint64_t after, milliseconds timeout) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, timeout, [&] { return events_.size() > after; });
    std::vector<EventReport> out;
    for (std::size_t i = after; i < events_.size(); ++i) out.push_back(report_of(events_[i]));
    return out;
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
  MarkRequest marked;                     // the last one
  BackfillRequest filled;                 // likewise, with its data
  std::vector<std::byte> filled_data;
  CopiedRequest copied;
  const Uuid run = *parse_uuid("5a5a5a5a-0000-4000-8000-000000000001");

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<format::Event> events_;
};

class ServerTest : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void TearDown() override { server_.reset(); }

  void start() {
    auto started = Server::start(path_, set_.handlers());
    ASSERT_TRUE(started) << started.error().message();
    server_ = std::move(*started);
  }
  // A request as it goes over the socket, and the answer likewise.
  Result<nlohmann::json> call(const nlohmann::json& request, int data = -1) {
    auto client = Client::connect(path_);
    if (!client) return failure_of(client);
    return client->exchange(request, kLong, data);
  }
  template <typename Request>
  Result<typename Request::Reply> ask(const Request& request, int data = -1) {
    auto client = Client::connect(path_);
    if (!client) return failure_of(client);
    return client->call(request, kLong, data);
  }
  os::LineSocket raw() { return os::LineSocket(std::move(*os::connect_to(path_))); }

  FakeSet set_;
  const TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
  std::string path_ = directory_ + "/data.sock";
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
  EXPECT_TRUE(client->call(PingRequest{}, kLong));
  EXPECT_EQ(client->call(StatusRequest{}, kLong)->status.name, "data");
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
  auto request = request_of(MarkRequest{{lost}, {}, false});
  EXPECT_EQ((*call(request))["lost_sectors"], 2);
  EXPECT_EQ(set_.marked.lost.ranges, lost);
  EXPECT_TRUE(set_.marked.suspect.ranges.empty());
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
  ASSERT_TRUE(ask(MarkRequest{{lost}, {}, false}));
  EXPECT_EQ(set_.marked.lost.ranges, lost);
}

TEST_F(ServerTest, TheDataOfABackfillArrivesAsItWasSent) {
  const std::vector<SectorRange> ranges{{{8}, {1}}, {{100}, {1023}}};
  std::vector<std::byte> data(kBackfillBytes);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 7 / 3);
  const auto sealed = os::seal(data);
  ASSERT_TRUE(sealed) << sealed.error().message();
  const BackfillRequest request{{ranges}, 41, true};
  const auto reply = ask(request, sealed->get());
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->filled_sectors, SectorCount{7});
  EXPECT_EQ(reply->kept_gone_sectors, SectorCount{1});
  EXPECT_EQ(reply->unchanged_sectors, SectorCount{2});
  EXPECT_EQ(set_.filled.ranges.ranges, ranges);
  EXPECT_EQ(set_.filled.as_of, 41U);
  EXPECT_EQ(set_.filled_data, data);
  for (const char* field : {"as_of", "gone", "ranges"}) {
    auto wrong = request_of(request);
    wrong[field] = nlohmann::json{1};
    EXPECT_EQ(call(wrong, sealed->get()).error().code, ErrorCode::protocol) << field;
    wrong.erase(field);
    EXPECT_EQ(call(wrong, sealed->get()).error().code, ErrorCode::protocol) << field;
  }
  EXPECT_EQ(ask(request).error().code, ErrorCode::protocol) << "without data";
  const FileDescriptor zeros(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(ask(request, zeros.get()).error().code, ErrorCode::protocol);
}

TEST_F(ServerTest, DataIsOfItsOwnRequestAlone) {
  const auto sealed = os::seal(std::vector<std::byte>(kBackfillBytes));
  auto client = Client::connect(path_);
  ASSERT_TRUE(client);
  EXPECT_TRUE(client->call(BackfillRequest{}, kLong, sealed->get()));
  EXPECT_EQ(client->call(BackfillRequest{}, kLong).error().code, ErrorCode::protocol);
  EXPECT_TRUE(client->call(PingRequest{}, kLong, sealed->get())) << "what nobody wants is let go";
}

// Each client may leave one behind: the server must not run out of them.
TEST_F(ServerTest, DescriptorsThatNobodyWantsAreClosed) {
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const FileDescriptor zeros(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  auto client = Client::connect(path_);
  ASSERT_TRUE(client);
  ASSERT_TRUE(client->call(PingRequest{}, kLong, zeros.get()));
  const auto before = count();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client->call(PingRequest{}, kLong, zeros.get()));
  // The last one is closed after its answer was sent.
  EXPECT_LE(count(), before + 1);
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
  auto request = request_of(CopiedRequest{set_.run, 12, {left_out}});
  ASSERT_TRUE(call(request));
  EXPECT_EQ(set_.copied.run, set_.run);
  EXPECT_EQ(set_.copied.writes, 12U);
  EXPECT_EQ(set_.copied.left_out.ranges, left_out);
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
  EXPECT_EQ(*whole, FakeSet::disk_map().extents);
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
  EXPECT_EQ(client->call(EventsRequest{0, true}, kLong)->events.size(), 1U);
  set_.add_event();
  EXPECT_EQ(client->next<EventsReply>(kLong)->events.at(0).seq, 2U);
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
  const auto server = Server::start(path, set_.handlers());
  ASSERT_TRUE(server) << server.error().message();
  auto client = Client::connect(path);
  ASSERT_TRUE(client);
  EXPECT_TRUE(client->call(PingRequest{}, kLong));
}

}  // namespace
}  // namespace dmremap::control
