// SPDX-License-Identifier: GPL-2.0-or-later
// Requests whose callers are told at the deadline, while main still has them.
#include "remap/request/request_timer.hpp"

#include <atomic>
#include <chrono>
#include <list>
#include <optional>
#include <thread>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = sim::Request::Kind;

constexpr SectorRange kSlow{{4'096}, {8}};

// A thread of a front end with one request, and its caller.
class Served final : public TimedCaller {
 public:
  Served(Engine& engine, Request request)
      : timer_(engine), request_(request), data_(request.range.count.bytes()) {
    request_.timer = &timer_;
    std::fill(data_.begin(), data_.end(), std::byte{66});
    request_.data = data_;
    request_.out = data_;
    const bool changes =
        request.kind != Request::Kind::read && request.kind != Request::Kind::flush;
    timer_.begin(changes ? request.range : SectorRange{}, *this);
    thread_ = std::thread([this, &engine] {
      const io::IoStatus status = run(engine, request_);
      if (timer_.claim()) answer_ = status.error;
      done_ = true;
    });
  }
  ~Served() { thread_.join(); }

  void expire() override {
    ++expired_;
    answer_ = ETIMEDOUT;
  }

  // The errno that the caller was told; -1: nothing yet.
  [[nodiscard]] int answer() const { return answer_; }
  [[nodiscard]] int expired() const { return expired_; }
  [[nodiscard]] bool done() const { return done_; }

 private:
  RequestTimer timer_;
  Request request_;
  std::vector<std::byte> data_;
  std::atomic<int> answer_{-1};
  std::atomic<int> expired_{0};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

class RequestTimerTest : public ::testing::Test {
 protected:
  RequestTimerTest() {
    rig.content.configuration.request_deadline_ms = 1'000;
    EXPECT_TRUE(metadata::Store::create(rig.spare, rig.content, rig.random, system_clock()));
    rig.start();
  }
  ~RequestTimerTest() override {
    main_answers = true;
    served.clear();
    rig.stop();
  }

  // Main keeps the first request of that kind there until it is let answer: what it writes then
  // lands last.
  void hang(Kind kind, int error = 0) {
    rig.main.set_hook([this, kind, error](const sim::Request& request) -> io::IoStatus {
      const bool there = kind == Kind::flush || request.range.overlaps(kSlow);
      if (request.kind != kind || !there || taken.exchange(true)) return {};
      while (!main_answers) std::this_thread::sleep_for(milliseconds(1));
      return {error};
    });
  }
  Served& serve(Request::Kind kind, SectorRange range = kSlow) {
    return served.emplace_back(*rig.engine, Request{.kind = kind, .range = range});
  }
  // A write that main has still not answered when its caller was told that it failed.
  Served& overdue_write(Request::Kind kind = Request::Kind::write) {
    Served& out = serve(kind);
    EXPECT_TRUE(soon([&] { return out.answer() == ETIMEDOUT; }));
    EXPECT_FALSE(out.done());
    EXPECT_EQ(rig.engine->conditions().overdue, 1U);
    return out;
  }
  void let_answer(Served& late) {
    main_answers = true;
    EXPECT_TRUE(soon([&] { return late.done(); }));
    EXPECT_EQ(late.expired(), 1);
    EXPECT_EQ(rig.engine->conditions().overdue, 0U);
  }

  Rig rig;
  std::list<Served> served;
  std::atomic<bool> taken{false};
  std::atomic<bool> main_answers{false};
};

TEST_F(RequestTimerTest, EveryKindOfRequestIsAnsweredByItsDeadline) {
  for (const auto& [kind, asked] :
       {std::pair{Kind::read, Request::Kind::read}, std::pair{Kind::write, Request::Kind::write},
        std::pair{Kind::write_zeroes, Request::Kind::zeroes},
        std::pair{Kind::discard, Request::Kind::discard},
        std::pair{Kind::flush, Request::Kind::flush}}) {
    SCOPED_TRACE(static_cast<int>(kind));
    taken = false;
    main_answers = false;
    hang(kind);
    const auto begun = std::chrono::steady_clock::now();
    Served& one = serve(asked);
    EXPECT_TRUE(soon([&] { return one.answer() == ETIMEDOUT; }));
    const auto took = std::chrono::steady_clock::now() - begun;
    EXPECT_GT(took, milliseconds(900));
    EXPECT_LT(took, seconds(8));
    let_answer(one);
  }
}

TEST_F(RequestTimerTest, WhatIsDoneInTimeIsAnsweredOnce) {
  Served& one = serve(Request::Kind::write);
  EXPECT_TRUE(soon([&] { return one.done(); }));
  std::this_thread::sleep_for(milliseconds(2'000));
  EXPECT_EQ(one.answer(), 0);
  EXPECT_EQ(one.expired(), 0);
  EXPECT_EQ(rig.table().remapped, 0U);
}

TEST_F(RequestTimerTest, Promise1_AWriteThatLandsLateDoesNotReplaceALaterOne) {
  hang(Kind::write);
  Served& late = overdue_write();
  EXPECT_EQ(rig.write(4'096, 8, 77), 0);
  EXPECT_EQ(rig.read(4'096, 8), 77);
  let_answer(late);
  EXPECT_EQ(rig.on_main(4'096), 66);
  EXPECT_EQ(rig.read(4'096, 8), 77);
  EXPECT_EQ(rig.engine->flush().error, 0);
  served.clear();  // their timers are of this engine
  rig.restart();
  EXPECT_EQ(rig.read(4'096, 8), 77);
}

TEST_F(RequestTimerTest, Promise1_NorDoZeroesThatLandLate) {
  hang(Kind::write_zeroes);
  Served& late = overdue_write(Request::Kind::zeroes);
  EXPECT_EQ(rig.write(4'098, 2, 77), 0);
  let_answer(late);
  EXPECT_EQ(rig.read(4'096, 2), 0);
  EXPECT_EQ(rig.read(4'098, 2), 77);
}

TEST_F(RequestTimerTest, Promise1_NorADiscard) {
  hang(Kind::discard);
  Served& late = overdue_write(Request::Kind::discard);
  EXPECT_EQ(rig.write(4'096, 8, 77), 0);
  let_answer(late);
  EXPECT_EQ(rig.read(4'096, 8), 77);
}

TEST_F(RequestTimerTest, Promise1_ZeroesAfterALateWriteGoToTheSpareToo) {
  hang(Kind::write);
  Served& late = overdue_write();
  EXPECT_EQ(rig.engine->write_zeroes({{4'096}, {8}}).error, 0);
  EXPECT_EQ(rig.engine->discard({{4'096}, {8}}).error, 0);
  let_answer(late);
  EXPECT_EQ(rig.read(4'096, 8), 0);
}

TEST_F(RequestTimerTest, Promise1_AWriteThatMainRefusesLateIsNotRemappedOverALaterOne) {
  hang(Kind::write, EIO);
  Served& late = overdue_write();
  EXPECT_EQ(rig.write(4'096, 8, 77), 0);
  let_answer(late);
  EXPECT_EQ(rig.read(4'096, 8), 77);
}

TEST_F(RequestTimerTest, Promise1_AWriteThatTheSpareStillHasDoesNotReplaceALaterOne) {
  EXPECT_TRUE(rig.engine->relocate(kSlow));
  const SectorRange place = rig.spare_of(4'096);
  rig.spare.set_hook([&](const sim::Request& request) -> io::IoStatus {
    const bool there = request.kind == Kind::write && request.range.first == place.first;
    if (!there || taken.exchange(true)) return {};
    while (!main_answers) std::this_thread::sleep_for(milliseconds(1));
    return {};
  });
  Served& late = overdue_write();
  EXPECT_EQ(rig.write(4'096, 8, 77), 0);
  EXPECT_NE(rig.spare_of(4'096).first, place.first);
  let_answer(late);
  EXPECT_EQ(rig.read(4'096, 8), 77);
}

TEST_F(RequestTimerTest, Promise5_OnlyWhatTheLateWriteCoversMoves) {
  hang(Kind::write);
  Served& late = overdue_write();
  EXPECT_EQ(rig.write(4'090, 64, 77), 0);
  EXPECT_EQ(rig.in_state(format::State::remapped), std::vector<SectorRange>{kSlow});
  EXPECT_EQ(rig.on_main(4'090), 77);
  let_answer(late);
  EXPECT_EQ(rig.read(4'090, 64), 77);
  // And when it has ended, nothing more.
  EXPECT_TRUE(rig.engine->unremap(kSlow));
  EXPECT_EQ(rig.write(4'096, 8, 88), 0);
  EXPECT_EQ(rig.on_main(4'096), 88);
}

TEST_F(RequestTimerTest, Promise1_NobodySettlesSectorsThatALateWriteMayReach) {
  hang(Kind::write);
  Served& late = overdue_write();
  EXPECT_EQ(rig.write(4'096, 8, 77), 0);
  const auto begun = std::chrono::steady_clock::now();
  const auto back = rig.engine->unremap(kSlow);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::timeout);
  EXPECT_FALSE(rig.engine->relocate(kSlow));
  // At once: writes would wait for whoever waits for main.
  EXPECT_LT(std::chrono::steady_clock::now() - begun, milliseconds(900));
  let_answer(late);
  EXPECT_TRUE(rig.engine->unremap(kSlow));
  EXPECT_EQ(rig.read(4'096, 8), 77);
  EXPECT_EQ(rig.on_main(4'096), 77);
}

TEST_F(RequestTimerTest, Promise8_MainIsNotTakenBackBeforeALateWriteHasEnded) {
  Reopener reopener;
  rig.stop();
  rig.evidence_interval_ms = 1;
  rig.start(&reopener);
  EXPECT_EQ(rig.write(0, 8, 5), 0);
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_TRUE(soon([&] { return !rig.engine->evidence().empty(); }));
  hang(Kind::write);
  Served& late = overdue_write();
  DeviceNews away;
  away.main_absence = "main is away";
  rig.engine->note_devices(away);
  reopener.device = &rig.main;
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_TRUE(rig.engine->conditions().tripped);
  EXPECT_NE(rig.engine->conditions().trip_reason.find("did not answer"), std::string::npos)
      << rig.engine->conditions().trip_reason;
  let_answer(late);
  EXPECT_TRUE(soon([&] { return !rig.engine->conditions().tripped; }));
}

// The way of a ring: the device's answer comes to finish(), late.
TEST_F(RequestTimerTest, Promise1_ARequestThatIsBegunAndFinishedLateIsNotRemappedOverALaterOne) {
  struct Tag final : Completion, TimedCaller {
    void complete(io::IoStatus /*status*/) override { ended = true; }
    void expire() override { expired = true; }
    std::atomic<bool> ended{false};
    std::atomic<bool> expired{false};
  } tag;
  RequestTimer timer(*rig.engine);
  const std::vector<std::byte> data = pattern(8, 66);
  timer.begin(kSlow, tag);
  auto direct = rig.engine->begin(
      {.kind = Request::Kind::write, .range = kSlow, .data = data, .done = &tag, .timer = &timer});
  ASSERT_TRUE(direct);
  EXPECT_TRUE(soon([&] { return tag.expired.load(); }));
  EXPECT_EQ(rig.write(4'096, 8, 77), 0);
  EXPECT_FALSE(rig.engine->finish(std::move(*direct), {EIO}));
  EXPECT_TRUE(soon([&] { return tag.ended.load(); }));
  EXPECT_FALSE(timer.claim());
  EXPECT_EQ(rig.read(4'096, 8), 77);
}

// Healing waits for others who hold its sectors, and its write may be given up meanwhile.
TEST_F(RequestTimerTest, Promise1_AWriteThatIsGivenUpBeforeItHealsDoesNotReplaceALaterOne) {
  const SectorRange theirs{{4'104}, {8}};
  ASSERT_TRUE(rig.engine->relocate(theirs));
  const std::vector<SectorRange> metadata = rig.metadata_areas();
  std::atomic<bool> full{true};
  std::atomic<bool> refuse{false};
  std::atomic<int> tries{0};
  rig.spare.set_hook([&](const sim::Request& request) -> io::IoStatus {
    const bool is_data = std::ranges::none_of(
        metadata, [&](const SectorRange& area) { return area.overlaps(request.range); });
    if (request.kind != Kind::write || !full || !is_data) return {};
    // The first is the write in place, the second the remapper's.
    if (++tries == 2) {
      while (!refuse) std::this_thread::sleep_for(milliseconds(1));
    }
    return {ENOSPC};
  });
  rig.main.fail_writes(kSlow, ENODATA);
  std::atomic<bool> unremap_writes{false};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind != Kind::write || !request.range.overlaps(theirs)) return {};
    unremap_writes = true;
    while (!main_answers) std::this_thread::sleep_for(milliseconds(1));
    return {};
  });
  Served& late = serve(Request::Kind::write, {{4'096}, {16}});
  EXPECT_TRUE(soon([&] { return tries == 2; }));
  std::thread holder([&] { (void)rig.engine->unremap(theirs); });
  std::this_thread::sleep_for(milliseconds(200));  // it holds its range, and drains the write
  refuse = true;
  EXPECT_TRUE(soon([&] { return unremap_writes.load(); }));
  EXPECT_TRUE(soon([&] { return late.answer() == ETIMEDOUT; }));
  full = false;
  EXPECT_EQ(rig.write(4'096, 8, 77), 0);
  let_answer(late);
  holder.join();
  EXPECT_EQ(rig.read(4'096, 8), 77);
}

// A write that waits for a holder, and comes to the place to which a later one has moved.
TEST_F(RequestTimerTest, Promise1_AWriteThatIsGivenUpBeforeItBeginsDoesNotReplaceALaterOne) {
  hang(Kind::write);
  Served& late = overdue_write();
  EXPECT_EQ(rig.write(4'096, 8, 77), 0);
  RequestTimer timer(*rig.engine);
  struct Caller final : TimedCaller {
    void expire() override { expired = true; }
    std::atomic<bool> expired{false};
  } caller;
  timer.begin(kSlow, caller);
  EXPECT_TRUE(soon([&] { return caller.expired.load(); }));
  EXPECT_EQ(rig.write(4'096, 8, 88), 0);
  const std::vector<std::byte> data = pattern(8, 66);
  EXPECT_NE(rig.engine->write(kSlow.first, data, false, &timer).error, 0);
  EXPECT_FALSE(timer.claim());
  EXPECT_EQ(rig.read(4'096, 8), 88);
  let_answer(late);
}

TEST_F(RequestTimerTest, Promise4_RewritesBesideALateWriteTakeNoMoreOfTheSpare) {
  hang(Kind::write);
  Served& late = overdue_write();
  EXPECT_EQ(rig.write(4'096, 8, 70), 0);
  const SectorRange place = rig.spare_of(4'096);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(rig.write(4'096, 8, 71 + i), 0);
  EXPECT_EQ(rig.spare_of(4'096), place);
  let_answer(late);
  EXPECT_EQ(rig.read(4'096, 8), 90);
}

// Of those who were told at the deadline nobody knows what a flush came to, nor what it lost of
// what was written since.
TEST_F(RequestTimerTest, Promise3_AFlushThatFailsLateIsToldByTheNextOne) {
  EXPECT_EQ(rig.write(8'192, 8, 5), 0);
  FlushHeard heard;
  rig.engine->begin_hearing(heard);
  hang(Kind::flush, EIO);
  Served& late = served.emplace_back(
      *rig.engine, Request{.kind = Request::Kind::flush, .range = {}, .heard = &heard});
  EXPECT_TRUE(soon([&] { return late.answer() == ETIMEDOUT; }));
  EXPECT_EQ(rig.write(16'384, 8, 7), 0);
  let_answer(late);
  EXPECT_NE(rig.engine->flush_for(heard).error, 0);
  EXPECT_EQ(rig.engine->flush_for(heard).error, 0);
}

// Zeroing gigabytes takes a healthy disk longer than a deadline, which is that of each part.
TEST_F(RequestTimerTest, Promise4_AZeroingThatGoesOnIsNotGivenUp) {
  rig.main.set_hook([](const sim::Request& request) -> io::IoStatus {
    if (request.kind == Kind::write_zeroes) return {ENODATA};
    if (request.kind == Kind::write) std::this_thread::sleep_for(milliseconds(300));
    return {};
  });
  // By hand, in parts of 256 KiB: more than two seconds, with a deadline of one.
  Served& long_one = serve(Request::Kind::zeroes, {{8'192}, SectorCount::from_bytes(2 * kMiB)});
  EXPECT_TRUE(soon([&] { return long_one.done(); }));
  EXPECT_EQ(long_one.answer(), 0);
  EXPECT_EQ(long_one.expired(), 0);
}

}  // namespace
}  // namespace dmremap::remap
