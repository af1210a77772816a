// SPDX-License-Identifier: GPL-2.0-or-later
// The requests of a ublk disk over an engine with simulated devices. The kernel's driver and its
// ring are played here: what it does to real ones is seen in a guest (tests/guest).
#include "frontend/ublk/disk_requests.hpp"

#include <array>
#include <condition_variable>
#include <deque>
#include <thread>
#include <vector>

#include "rig/engine_rig.hpp"

namespace dmremap::frontend {
namespace {

using std::chrono::seconds;
using ublk::Operation;
using ublk::Step;

constexpr int kMainDescriptor = 77;

// One request as the kernel sees it.
class Played final : public Reply {
 public:
  void answer(int error) override { come(error); }
  ublk::BufferPool::Lease answer_early(int error) override {
    early_ = true;
    come(error);
    return {};
  }
  void come(int error) {
    std::unique_lock lock(mutex_);
    ++times_;
    error_ = error;
    came_.notify_all();
    came_.wait(lock, [this] { return !lingers_; });
  }
  // Whether the thread that answers stays in the answer, as in a queue that it wakes.
  void linger(bool lingers) {
    const std::lock_guard lock(mutex_);
    lingers_ = lingers;
    came_.notify_all();
  }
  // The errno; -1: no answer came, or two.
  int wait() {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, seconds(60), [this] { return times_ > 0; });
    return times_ == 1 ? error_ : -1;
  }
  [[nodiscard]] bool is_answered() {
    const std::lock_guard lock(mutex_);
    return times_ > 0;
  }
  [[nodiscard]] bool is_early() const { return early_; }

  std::vector<std::byte> data;

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  int times_ = 0;
  int error_ = 0;
  bool lingers_ = false;
  std::atomic<bool> early_{false};
};

class DiskRequestsTest : public ::testing::Test {
 protected:
  DiskRequestsTest() { rig.main.set_descriptor(kMainDescriptor); }
  ~DiskRequestsTest() override {
    requests.reset();
    rig.stop();
  }
  void start(DiskRequests::Options options = {}) {
    rig.start();
    options.slots = 8;
    requests = std::make_unique<DiskRequests>(*rig.engine, options);
  }

  Step begin(Played& played, Operation operation, SectorRange range, std::uint32_t slot = 0,
             bool fua = false) {
    return requests->begin(
        {.operation = operation, .range = range, .fua = fua, .data = played.data, .slot = slot},
        played);
  }
  // What the ring does with a direct request, to its end.
  Step transfer(const Played& played, const Step& step, bool writes) {
    const Sector first{step.offset / kSectorBytes};
    auto& data = const_cast<std::vector<std::byte>&>(played.data);
    const io::IoStatus status = writes ? rig.main.write(first, data) : rig.main.read(first, data);
    return requests->direct_done(step.cookie, status.error);
  }
  // From begin to the answer.
  int run(Played& played, Operation operation, SectorRange range, bool fua = false) {
    Step step = begin(played, operation, range, 0, fua);
    if (step.kind == Step::Kind::direct) {
      step = transfer(played, step, operation == Operation::write);
    }
    if (step.kind == Step::Kind::answered) return step.error;
    const int error = played.wait();
    if (operation == Operation::flush) requests->flush_told(0);
    return error;
  }
  int write(std::uint64_t first, std::uint64_t count, int fill, bool fua = false) {
    Played played;
    played.data = remap::pattern(count, fill);
    return run(played, Operation::write, {{first}, {count}}, fua);
  }
  // The fill, or -errno.
  int read(std::uint64_t first, std::uint64_t count) {
    Played played;
    played.data = remap::pattern(count, 0xee);
    const int error = run(played, Operation::read, {{first}, {count}});
    if (error != 0) return -error;
    const auto fill = played.data.front();
    return std::ranges::all_of(played.data, [&](auto b) { return b == fill; })
               ? std::to_integer<int>(fill)
               : -1000;
  }
  int flush() {
    Played played;
    return run(played, Operation::flush, {});
  }
  // A write to what was written with 5 is neither begun nor answered; `played` must outlive it.
  void expect_write_is_kept(Played& played) {
    played.data = remap::pattern(8, 6);
    EXPECT_EQ(begin(played, Operation::write, {{64}, {8}}, 1).kind, Step::Kind::later);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_FALSE(played.is_answered());
    EXPECT_EQ(rig.on_main(64), 5);
  }

  remap::Rig rig;
  std::unique_ptr<DiskRequests> requests;
};

TEST_F(DiskRequestsTest, WhatIsCleanGoesToMainInTheRing) {
  start();
  Played played;
  played.data = remap::pattern(8, 5);
  const Step step = begin(played, Operation::write, {{64}, {8}});
  ASSERT_EQ(step.kind, Step::Kind::direct);
  EXPECT_EQ(step.fd, kMainDescriptor);
  EXPECT_EQ(step.offset, 64 * kSectorBytes);
  EXPECT_FALSE(step.durable);
  const Step done = transfer(played, step, true);
  EXPECT_EQ(done.kind, Step::Kind::answered);
  EXPECT_EQ(done.error, 0);
  EXPECT_EQ(rig.on_main(64), 5);
  EXPECT_EQ(read(64, 8), 5);
  EXPECT_EQ(rig.engine->counts().writes, 1U);
  EXPECT_EQ(rig.engine->counts().reads, 1U);
}

TEST_F(DiskRequestsTest, Promise3_AWriteThatFailedInTheRingIsOnTheSpareWhenItIsAnswered) {
  start();
  rig.main.fail_writes({{64}, {8}}, ENODATA);
  EXPECT_EQ(write(64, 16, 5), 0);
  EXPECT_EQ(rig.in_state(format::State::remapped), (std::vector<SectorRange>{{{64}, {8}}}));
  EXPECT_EQ(read(64, 16), 5);
  requests.reset();
  rig.restart();
  EXPECT_EQ(rig.read(64, 16), 5);
}

TEST_F(DiskRequestsTest, Promise2_WhatIsLostIsEio) {
  start();
  rig.main.spoil({{64}, {8}}, ENODATA);
  EXPECT_EQ(read(64, 8), -EIO);
  EXPECT_EQ(read(64, 8), -EIO);
  EXPECT_EQ(rig.table().lost, 8U);
  EXPECT_EQ(write(64, 8, 3), 0);
  EXPECT_EQ(read(64, 8), 3);
}

TEST_F(DiskRequestsTest, AFuaIsFlushedBeforeItIsAnswered) {
  start();
  EXPECT_EQ(write(64, 8, 5, true), 0);
  EXPECT_EQ(rig.main.unflushed_writes(), 0U);
  EXPECT_EQ(write(72, 8, 5), 0);
  EXPECT_NE(rig.main.unflushed_writes(), 0U);
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(rig.main.unflushed_writes(), 0U);
}

TEST_F(DiskRequestsTest, AFlushThatFailedIsToldOnce) {
  start();
  EXPECT_EQ(write(64, 8, 5), 0);
  rig.main.set_hook([](const sim::Request& request) {
    return io::IoStatus{request.kind == sim::Request::Kind::flush ? EIO : 0};
  });
  EXPECT_EQ(flush(), EIO);
  rig.main.set_hook({});
  EXPECT_EQ(flush(), 0);
}

// A failed flush leaves a doubt that ends with the next good one, because its user was told. He has
// been only when the kernel has the answer.
TEST_F(DiskRequestsTest, Rule5_AFlushBeginsWhenTheKernelHasTheAnswerToTheOneBefore) {
  start();
  Played first;
  Played second;
  Played third;
  std::atomic<unsigned> flushes{0};
  rig.main.set_hook([&](const sim::Request& request) {
    if (request.kind == sim::Request::Kind::flush) ++flushes;
    return io::kIoOk;
  });
  EXPECT_EQ(begin(first, Operation::flush, {}, 1).kind, Step::Kind::later);
  EXPECT_EQ(begin(second, Operation::flush, {}, 2).kind, Step::Kind::later);
  EXPECT_EQ(begin(third, Operation::flush, {}, 3).kind, Step::Kind::later);
  EXPECT_EQ(first.wait(), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(flushes, 1U);
  requests->flush_told(2);  // of no flush that has been answered
  EXPECT_EQ(flushes, 1U);
  requests->flush_told(1);
  EXPECT_EQ(second.wait(), 0);
  EXPECT_FALSE(third.is_answered());
  requests->flush_told(2);
  EXPECT_EQ(third.wait(), 0);
  requests->flush_told(3);
  EXPECT_EQ(flush(), 0);
}

TEST_F(DiskRequestsTest, Rule5_AFlushInDoubtFailsForTheUsersOfADeviceThatWasTakenOver) {
  rig.left = remap::UnflushedLeft{true, false, {}};
  start({.taken_over = true});
  EXPECT_EQ(flush(), EIO);
  EXPECT_EQ(flush(), 0);
}

TEST_F(DiskRequestsTest, ZeroesAndDiscardsAreDoneByThreads) {
  start();
  EXPECT_EQ(write(64, 16, 5), 0);
  Played zeroes;
  EXPECT_EQ(begin(zeroes, Operation::write_zeroes, {{64}, {8}}).kind, Step::Kind::later);
  EXPECT_EQ(zeroes.wait(), 0);
  EXPECT_EQ(read(64, 8), 0);
  EXPECT_EQ(read(72, 8), 5);
  Played discard;
  EXPECT_EQ(run(discard, Operation::discard, {{72}, {8}}), 0);
  rig.main.spoil({{128}, {8}}, ENODATA);
  EXPECT_EQ(read(128, 8), -EIO);
  Played over_lost;
  EXPECT_EQ(run(over_lost, Operation::write_zeroes, {{128}, {8}}), EOPNOTSUPP)
      << "the kernel writes zeros as data then";
}

TEST_F(DiskRequestsTest, ADiscardThatNobodyCanDoIsDone) {
  start();
  rig.main.set_hook([](const sim::Request& request) {
    return io::IoStatus{request.kind == sim::Request::Kind::discard ? EOPNOTSUPP : 0};
  });
  Played discard;
  EXPECT_EQ(run(discard, Operation::discard, {{64}, {8}}), 0);
}

// Each request in a ring has a pin, and pins are limited: a queue's thread that waited for one
// might wait for requests of its own ring.
TEST_F(DiskRequestsTest, TooManyForTheRingsAreDoneByThreads) {
  start({.most_direct = 2});
  std::array<Played, 3> played;
  std::array<Step, 3> steps;
  for (std::uint32_t i = 0; i < 3; ++i) {
    played.at(i).data = remap::pattern(8, static_cast<int>(i) + 1);
    steps.at(i) = begin(played.at(i), Operation::write, {{64 + 8 * i}, {8}}, i);
  }
  EXPECT_EQ(steps[0].kind, Step::Kind::direct);
  EXPECT_EQ(steps[1].kind, Step::Kind::direct);
  EXPECT_EQ(steps[2].kind, Step::Kind::later);
  EXPECT_EQ(played[2].wait(), 0);
  EXPECT_EQ(transfer(played[0], steps[0], true).error, 0);
  EXPECT_EQ(begin(played[0], Operation::write, {{64}, {8}}).kind, Step::Kind::direct);
  EXPECT_EQ(transfer(played[1], steps[1], true).error, 0);
  EXPECT_EQ(requests->direct_done(steps[0].cookie, 0).error, 0);
  EXPECT_EQ(rig.on_main(80), 3);
}

TEST_F(DiskRequestsTest, ADeviceWithoutADescriptorIsAskedByThreads) {
  rig.main.set_descriptor(-1);
  start();
  EXPECT_EQ(write(64, 8, 5), 0);
  EXPECT_EQ(read(64, 8), 5);
  EXPECT_EQ(read(72, 8), 1);
}

// The slot of a request that was answered at its deadline is used again while the device still has
// the request, whose data stays.
TEST_F(DiskRequestsTest, ARequestThatADeviceKeepsIsAnsweredAtItsDeadline) {
  rig.content.configuration.request_deadline_ms = 500;
  ASSERT_TRUE(metadata::Store::create(rig.spare, rig.content, rig.random, system_clock()));
  start();
  Played slow;
  slow.data = remap::pattern(8, 7);
  const Step step = begin(slow, Operation::write, {{64}, {8}}, 3);
  ASSERT_EQ(step.kind, Step::Kind::direct);
  EXPECT_EQ(slow.wait(), EIO);
  EXPECT_TRUE(slow.is_early());
  Played again;
  again.data = remap::pattern(8, 0xee);
  const Step other = begin(again, Operation::read, {{512}, {8}}, 3);
  ASSERT_EQ(other.kind, Step::Kind::direct);
  EXPECT_NE(other.cookie, step.cookie);
  EXPECT_EQ(transfer(again, other, false).kind, Step::Kind::answered);
  EXPECT_EQ(requests->direct_done(step.cookie, 0).kind, Step::Kind::later);
  requests->settle();
}

// What the next process of a device is sent again must not have been begun by this one.
TEST_F(DiskRequestsTest, HeldRequestsBeginWhenTheyAreReleased) {
  start();
  EXPECT_EQ(write(64, 8, 5), 0);
  EXPECT_TRUE(requests->hold(seconds(60)));
  Played written;
  written.data = remap::pattern(8, 6);
  Played got;
  got.data = remap::pattern(8, 0);
  Played flushed;
  EXPECT_EQ(begin(written, Operation::write, {{64}, {8}}, 1).kind, Step::Kind::later);
  EXPECT_EQ(begin(got, Operation::read, {{72}, {8}}, 2).kind, Step::Kind::later);
  EXPECT_EQ(begin(flushed, Operation::flush, {}, 3).kind, Step::Kind::later);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(written.is_answered() || got.is_answered() || flushed.is_answered());
  EXPECT_EQ(rig.on_main(64), 5);
  requests->release();
  EXPECT_EQ(written.wait(), 0);
  EXPECT_EQ(got.wait(), 0);
  EXPECT_EQ(flushed.wait(), 0);
  requests->flush_told(3);
  EXPECT_EQ(rig.on_main(64), 6);
  EXPECT_EQ(read(64, 8), 6);
}

TEST_F(DiskRequestsTest, HoldingWaitsForWhatWasBegun) {
  start();
  Played played;
  played.data = remap::pattern(8, 5);
  const Step step = begin(played, Operation::write, {{64}, {8}}, 1);
  ASSERT_EQ(step.kind, Step::Kind::direct);
  EXPECT_FALSE(requests->hold(std::chrono::milliseconds(50)));
  std::thread holds([&] { EXPECT_TRUE(requests->hold(seconds(60))); });
  EXPECT_EQ(transfer(played, step, true).kind, Step::Kind::answered);
  holds.join();
  requests->release();
  // A flush has ended when the kernel has its answer.
  Played flushed;
  EXPECT_EQ(begin(flushed, Operation::flush, {}, 3).kind, Step::Kind::later);
  EXPECT_EQ(flushed.wait(), 0);
  EXPECT_FALSE(requests->hold(std::chrono::milliseconds(50)));
  requests->flush_told(3);
  EXPECT_TRUE(requests->hold(seconds(60)));
  requests->release();
}

// Who holds requests ends the queue next, and an answer wakes the queue.
TEST_F(DiskRequestsTest, HoldingWaitsForWhoIsStillAnswering) {
  rig.main.set_descriptor(-1);
  start();
  const auto ask = [&](Operation operation, bool fua) {
    SCOPED_TRACE(static_cast<int>(operation));
    Played played;
    played.data = remap::pattern(8, 5);
    played.linger(true);
    ASSERT_EQ(begin(played, operation, {{64}, {8}}, 1, fua).kind, Step::Kind::later);
    EXPECT_EQ(played.wait(), 0);
    EXPECT_FALSE(requests->hold(std::chrono::milliseconds(50)));
    played.linger(false);
    EXPECT_TRUE(requests->hold(seconds(60)));
    requests->release();
  };
  ask(Operation::write_zeroes, false);  // by the threads here
  ask(Operation::write, false);         // by the threads here, without a ring
  ask(Operation::write, true);          // by the engine's
}

// The slot is free for the kernel's next request while the thread that answered is not back yet.
TEST_F(DiskRequestsTest, ASlotThatIsUsedAgainIsHeldAsWell) {
  start();
  Played slow;
  slow.linger(true);
  EXPECT_EQ(begin(slow, Operation::write_zeroes, {{64}, {8}}, 1).kind, Step::Kind::later);
  EXPECT_EQ(slow.wait(), 0);
  Played again;
  again.data = remap::pattern(8, 5);
  const Step step = begin(again, Operation::write, {{64}, {8}}, 1);
  ASSERT_EQ(step.kind, Step::Kind::direct);
  slow.linger(false);
  EXPECT_FALSE(requests->hold(std::chrono::milliseconds(50)));
  EXPECT_EQ(transfer(again, step, true).kind, Step::Kind::answered);
  EXPECT_TRUE(requests->hold(seconds(60)));
  requests->release();
}

// As the users of a device that stays without its process have it.
TEST_F(DiskRequestsTest, WhatComesAfterSettlingIsKept) {
  start();
  EXPECT_EQ(write(64, 8, 5), 0);
  requests->settle();
  Played written;
  expect_write_is_kept(written);
}

TEST_F(DiskRequestsTest, ReadsAloneMayGoOn) {
  start();
  EXPECT_EQ(write(64, 8, 5), 0);
  EXPECT_TRUE(requests->hold(seconds(60)));
  requests->release(DiskRequests::Changes::kept);
  EXPECT_EQ(read(64, 8), 5);
  EXPECT_EQ(flush(), 0);
  Played written;
  expect_write_is_kept(written);
}

// A device is taken away, and nothing may wait for what was kept.
TEST_F(DiskRequestsTest, WhatIsKeptCanBeRefused) {
  start();
  EXPECT_EQ(write(64, 8, 5), 0);
  EXPECT_TRUE(requests->hold(seconds(60)));
  requests->release(DiskRequests::Changes::kept);
  EXPECT_EQ(requests->kept(), 0U);
  Played written;
  written.data = remap::pattern(8, 6);
  EXPECT_EQ(begin(written, Operation::write, {{64}, {8}}, 1).kind, Step::Kind::later);
  EXPECT_EQ(requests->kept(), 1U);
  requests->release(DiskRequests::Changes::refused);
  EXPECT_EQ(written.wait(), EIO);
  EXPECT_EQ(write(64, 8, 7), EIO);
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(read(64, 8), 5);
  EXPECT_TRUE(requests->hold(seconds(60)));
  requests->release(DiskRequests::Changes::kept);
  Played again;
  again.data = remap::pattern(8, 8);
  EXPECT_EQ(begin(again, Operation::write, {{64}, {8}}, 1).kind, Step::Kind::later);
  EXPECT_EQ(requests->kept(), 1U);
  requests->release();
  EXPECT_EQ(again.wait(), 0);
  EXPECT_EQ(read(64, 8), 8);
}

TEST_F(DiskRequestsTest, AWriteWaitsForAReadModifyWriteOfAnotherFrontEnd) {
  const auto gate = std::make_shared<WriteGate>();
  start({.gate = gate});
  Played played;
  played.data = remap::pattern(8, 5);
  std::optional<WriteGate::Pass> alone;
  alone.emplace(*gate, WriteGate::Access::exclusive, 64 * kSectorBytes, 72 * kSectorBytes);
  EXPECT_EQ(begin(played, Operation::write, {{64}, {8}}).kind, Step::Kind::later);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(played.is_answered());
  alone.reset();
  EXPECT_EQ(played.wait(), 0);
  EXPECT_EQ(write(64, 8, 6), 0) << "nobody is in the way";
}

// Two queues, each with one thread, a ring and sectors of its own, over a main that fails here and
// there: whatever was written last is read.
TEST_F(DiskRequestsTest, Promise1_QueuesSideBySideReadWhatTheyWrote) {
  start();
  rig.main.fail_writes({{1'024}, {64}}, ENODATA);
  rig.main.fail_writes({{17'408}, {64}}, ENODATA);
  std::atomic<unsigned> wrong{0};
  const auto queue = [&](std::uint32_t slot, std::uint64_t base) {
    for (int round = 1; round <= 60; ++round) {
      for (std::uint64_t block = 0; block < 12; ++block) {
        const SectorRange range{{base + block * 8}, {8}};
        Played out;
        out.data = remap::pattern(8, round);
        Step step = begin(out, Operation::write, range, slot, round % 20 == 0);
        if (step.kind == Step::Kind::direct) step = transfer(out, step, true);
        if ((step.kind == Step::Kind::answered ? step.error : out.wait()) != 0) ++wrong;
        Played in;
        in.data = remap::pattern(8, 0xee);
        step = begin(in, Operation::read, range, slot);
        if (step.kind == Step::Kind::direct) step = transfer(in, step, false);
        if ((step.kind == Step::Kind::answered ? step.error : in.wait()) != 0) ++wrong;
        if (in.data != out.data) ++wrong;
      }
    }
  };
  std::thread first(queue, 0U, 1'008U);
  std::thread second(queue, 1U, 17'392U);
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(rig.table().remapped, 0U);
}

}  // namespace
}  // namespace dmremap::frontend
