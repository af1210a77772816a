// SPDX-License-Identifier: GPL-2.0-or-later
// Requests that are begun by one call and finished by another: what is clean is issued by the
// caller, what is not is answered later, and both keep the promises that a waiting thread is given.
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "remap/request/request_queue.hpp"
#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The answer of one request.
class Answer final : public Completion {
 public:
  void complete(io::IoStatus status) override {
    const std::lock_guard lock(mutex_);
    ++times_;
    status_ = status;
    came_.notify_all();
  }
  // Its errno, negative; 0: done. -1: it did not come.
  int wait() {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, seconds(20), [this] { return times_ > 0; });
    return times_ == 1 ? -status_.error : -1;
  }
  bool is_there() {
    const std::lock_guard lock(mutex_);
    return times_ > 0;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  int times_ = 0;
  io::IoStatus status_;
};

class EngineBegun : public ::testing::Test {
 protected:
  EngineBegun() { rig.start(); }

  Request request(Request::Kind kind, std::uint64_t first, std::uint64_t count) {
    Request out;
    out.kind = kind;
    out.range = {{first}, {count}};
    out.done = &answer;
    return out;
  }
  Request read(std::uint64_t first, std::uint64_t count) {
    buffer = pattern(count, 0xee);
    Request out = request(Request::Kind::read, first, count);
    out.out = buffer;
    return out;
  }
  Request write(std::uint64_t first, std::uint64_t count, int fill) {
    buffer = pattern(count, fill);
    Request out = request(Request::Kind::write, first, count);
    out.data = buffer;
    return out;
  }
  // From begin to the answer, as a ring with one thread does it.
  int run(const Request& what) {
    auto direct = rig.engine->begin(what);
    if (!direct) return answer.wait();
    const io::IoStatus status = issue(*direct);
    const auto now = rig.engine->finish(std::move(*direct), status);
    return now ? -now->error : answer.wait();
  }

  Rig rig;
  Answer answer;
  std::vector<std::byte> buffer;
};

TEST_F(EngineBegun, WhatIsCleanIsTheCallersToIssue) {
  auto direct = rig.engine->begin(write(64, 8, 7));
  ASSERT_TRUE(direct);
  EXPECT_EQ(direct->at(), Sector{64});
  EXPECT_EQ(&direct->device(), &rig.main);
  const auto done = rig.engine->finish(std::move(*direct), issue(*direct));
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->ok());
  EXPECT_EQ(rig.read(64, 8), 7);
  EXPECT_EQ(rig.engine->counts().writes, 1U);
  EXPECT_FALSE(answer.is_there());
}

// Who looks for another file system there need not look after any other write.
TEST_F(EngineBegun, WhatChangesTheHeadOfMainIsCountedAndNothingElse) {
  const std::uint64_t last = HeadWrites::kHead.value - 1;
  std::uint64_t before = rig.engine->head_writes();
  const auto is_counted = [&] {
    const std::uint64_t now = rig.engine->head_writes();
    return std::exchange(before, now) != now;
  };
  EXPECT_EQ(run(read(0, 8)), 0);
  EXPECT_EQ(run(write(last + 1, 8, 2)), 0);
  EXPECT_EQ(rig.write(kMainSize.value - 8, 8, 3), 0);
  EXPECT_FALSE(is_counted());
  EXPECT_EQ(run(write(last, 8, 4)), 0);
  EXPECT_TRUE(is_counted());
  EXPECT_EQ(rig.write(0, 1, 5), 0);
  EXPECT_TRUE(is_counted());
  EXPECT_TRUE(rig.engine->write_zeroes({{8}, {8}}).ok());
  EXPECT_TRUE(is_counted());
  EXPECT_TRUE(rig.engine->discard({{16}, {8}}).ok());
  EXPECT_TRUE(is_counted());
  // Parts of what failed may have been written.
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(run(write(64, 8, 9)), 0);
  EXPECT_TRUE(is_counted());
  rig.main.clear_faults();
  EXPECT_EQ(rig.write(64, 8, 10), 0) << "on the spare now";
  EXPECT_FALSE(is_counted());
  EXPECT_TRUE(rig.engine->unremap({{64}, {8}}));
  EXPECT_TRUE(is_counted()) << "it came back to main";
}

TEST_F(EngineBegun, Promise5_OfADirectWriteThatFailsTheBadUnitsAloneMove) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(run(write(0, 256, 9)), 0);
  EXPECT_EQ(rig.in_state(format::State::remapped), (std::vector<SectorRange>{{{64}, {8}}}));
  rig.restart();
  EXPECT_EQ(rig.read(0, 256), 9) << "durable before it was answered";
}

// What is stored there holds more than the request, and so waits for requests that wait for a
// thread: none of them may keep its pin meanwhile.
TEST_F(EngineBegun, Promise4_ManyWritesThatMainTakesNoMoreWaitForNoOther) {
  constexpr std::size_t kWrites = 3 * RequestQueue::kThreads;
  // Has room for all of main, and so whole chunks are copied along.
  Rig roomy({kMainSize, 512, 4096}, {80'000});
  roomy.start();
  roomy.main.fail_writes({{0}, kMainSize}, EROFS);
  std::array<Answer, kWrites> answers;
  std::array<std::vector<std::byte>, kWrites> data;
  std::vector<DirectRequest> begun;
  for (std::size_t i = 0; i < kWrites; ++i) {
    data.at(i) = pattern(8, 2 + static_cast<int>(i));
    Request one = request(Request::Kind::write, i * 16, 8);
    one.data = data.at(i);
    one.done = &answers.at(i);
    auto direct = roomy.engine->begin(one);
    ASSERT_TRUE(direct);
    begun.push_back(std::move(*direct));
  }
  for (DirectRequest& one : begun) {
    const io::IoStatus status = issue(one);
    EXPECT_FALSE(roomy.engine->finish(std::move(one), status));
  }
  for (Answer& one : answers) EXPECT_EQ(one.wait(), 0);
  for (std::size_t i = 0; i < kWrites; ++i) {
    EXPECT_EQ(roomy.read(i * 16, 8), 2 + static_cast<int>(i));
    EXPECT_EQ(roomy.read(i * 16 + 8, 8), 1);
  }
}

// The drive took its time to refuse it once, and the deadline counts that.
TEST_F(EngineBegun, ADirectWriteThatFailedIsNotTriedAsAWholeAgain) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  auto direct = rig.engine->begin(write(0, 256, 9));
  ASSERT_TRUE(direct);
  const io::IoStatus refused = issue(*direct);
  std::atomic<int> wholes{0};
  rig.main.set_hook([&wholes](const sim::Request& asked) -> io::IoStatus {
    if (asked.kind == sim::Request::Kind::write && asked.range.count == SectorCount{256}) ++wholes;
    return {};
  });
  EXPECT_FALSE(rig.engine->finish(std::move(*direct), refused));
  EXPECT_EQ(answer.wait(), 0);
  EXPECT_EQ(wholes, 0);
}

TEST_F(EngineBegun, Promise2_OfADirectReadThatFailsTheLossIsDurableBeforeTheAnswer) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(run(read(0, 256)), -EIO);
  rig.restart();
  EXPECT_EQ(rig.in_state(format::State::lost), (std::vector<SectorRange>{{{64}, {8}}}));
}

TEST_F(EngineBegun, WhatIsRemappedIsReadAndWrittenLater) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  ASSERT_EQ(rig.write(64, 8, 3), 0);
  const Request again = write(60, 16, 4);
  EXPECT_FALSE(rig.engine->begin(again));
  EXPECT_EQ(answer.wait(), 0);
  Answer second;
  Request back = read(60, 16);
  back.done = &second;
  EXPECT_FALSE(rig.engine->begin(back));
  EXPECT_EQ(second.wait(), 0);
  EXPECT_EQ(buffer, pattern(16, 4));
}

TEST_F(EngineBegun, FlushesAndFuaAreAnsweredLaterAndReachTheDevices) {
  EXPECT_EQ(run(write(64, 8, 7)), 0);
  EXPECT_EQ(run(request(Request::Kind::flush, 0, 0)), 0);
  rig.main.power_cut([](const sim::Request&, Sector) { return false; });
  EXPECT_EQ(rig.read(64, 8), 7);
  Answer fua_answer;
  Request fua = write(128, 8, 8);
  fua.fua = true;
  fua.done = &fua_answer;
  EXPECT_FALSE(rig.engine->begin(fua));
  EXPECT_EQ(fua_answer.wait(), 0);
  rig.main.power_cut([](const sim::Request&, Sector) { return false; });
  EXPECT_EQ(rig.read(128, 8), 8);
}

TEST_F(EngineBegun, Promise3_ADirectWriteIsCoveredByTheFlushAfterIt) {
  EXPECT_EQ(run(write(2048, 8, 7)), 0);
  rig.main.set_hook([](const sim::Request& asked) -> io::IoStatus {
    return {asked.kind == sim::Request::Kind::flush ? EIO : 0};
  });
  rig.main.fail_reads({{2048}, {8}}, ENODATA);
  EXPECT_EQ(rig.engine->flush().error, EIO);
  EXPECT_EQ(rig.table().gone, 8U) << "it was written since the last good flush";
}

TEST_F(EngineBegun, ZeroesAndDiscardsAreDirectWhereAllIsClean) {
  ASSERT_EQ(rig.write(64, 8, 7), 0);
  EXPECT_EQ(run(request(Request::Kind::zeroes, 64, 8)), 0);
  EXPECT_EQ(rig.read(64, 8), 0);
  EXPECT_TRUE(rig.engine->begin(request(Request::Kind::discard, 64, 8)));
}

TEST_F(EngineBegun, WhatDoesNotFitTheDiskIsAnsweredWithEinval) {
  EXPECT_EQ(run(read(kMainSize.value, 8)), -EINVAL);
}

TEST_F(EngineBegun, ARelocationWaitsForADirectWriteAndHoldsOffTheNext) {
  auto direct = rig.engine->begin(write(64, 8, 7));
  ASSERT_TRUE(direct);
  std::atomic<bool> relocated{false};
  std::thread other([&] {
    EXPECT_TRUE(rig.engine->relocate({{64}, {8}}));
    relocated = true;
  });
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_FALSE(relocated) << "the write may still be at the device";
  const auto status = rig.engine->finish(std::move(*direct), issue(*direct));
  EXPECT_TRUE(status && status->ok());
  other.join();
  EXPECT_EQ(rig.in_state(format::State::remapped), (std::vector<SectorRange>{{{64}, {8}}}));
  EXPECT_EQ(rig.read(64, 8), 7) << "what was relocated is what was written";
}

// Threads enough for all requests that wait for a hold, and still one for the write the hold waits
// for.
TEST_F(EngineBegun, AFailedWriteThatAHoldWaitsForIsNotKeptBehindWritesThatWaitForTheHold) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  auto direct = rig.engine->begin(write(64, 8, 7));
  ASSERT_TRUE(direct);
  std::thread other([&] { EXPECT_TRUE(rig.engine->relocate({{64}, {64}})); });
  std::this_thread::sleep_for(milliseconds(50));  // it holds the range and drains
  std::deque<Answer> answers(2 * RequestQueue::kThreads);
  const std::vector<std::byte> more = pattern(8, 9);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    Request next = request(Request::Kind::write, 72 + i % 4 * 8, 8);
    next.data = more;
    next.done = &answers[i];
    EXPECT_FALSE(rig.engine->begin(next));
  }
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_FALSE(rig.engine->finish(std::move(*direct), {EIO}));
  EXPECT_EQ(answer.wait(), 0);
  other.join();
  for (Answer& each : answers) EXPECT_EQ(each.wait(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(15)) << "no deadline had to pass";
  EXPECT_EQ(rig.read(64, 8), 7);
}

}  // namespace
}  // namespace dmremap::remap
