// SPDX-License-Identifier: GPL-2.0-or-later
// Reads that are answered later: whoever asks waits for one try of the drive at most.
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <thread>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kLater = -2'000;

int fill_of(std::span<const std::byte> data) {
  const bool uniform = std::ranges::all_of(data, [&](std::byte b) { return b == data[0]; });
  return uniform && !data.empty() ? std::to_integer<int>(data[0]) : -1000;
}

// What was answered later: as Rig::read says it.
class Answers {
 public:
  Engine::Later take() {
    return [this](io::IoStatus status, std::span<const std::byte> data) {
      const std::lock_guard lock(mutex_);
      answers_.push_back(status.ok() ? fill_of(data) : -status.error);
      came_.notify_all();
    };
  }
  // All, when there are `count`.
  std::vector<int> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, seconds(10), [&] { return answers_.size() >= count; });
    return answers_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<int> answers_;
};

class EngineLater : public ::testing::Test {
 protected:
  EngineLater() { rig.start(); }
  ~EngineLater() override {
    drive_answers = true;
    rig.stop();
  }

  // Like Rig::read; kLater if nothing was returned.
  int read(std::uint64_t first, std::uint64_t count) {
    auto out = pattern(count, 0xee);
    const auto status = rig.engine->read_or_later({first}, out, answers.take());
    if (!status) return kLater;
    return status->ok() ? fill_of(out) : -status->error;
  }
  // The drive fails the first read of each bad place at once and then answers none of them until it
  // is let.
  void hang_when_asked_again(SectorRange bad) {
    rig.main.fail_reads(bad, EIO);
    rig.main.set_hook([this, bad](const sim::Request& request) -> io::IoStatus {
      const bool again = request.kind == sim::Request::Kind::read && request.range.overlaps(bad) &&
                         std::this_thread::get_id() != caller;
      while (again && !drive_answers) std::this_thread::sleep_for(milliseconds(1));
      return {};
    });
  }

  Rig rig;
  Answers answers;
  std::atomic<bool> drive_answers{false};
  const std::thread::id caller = std::this_thread::get_id();
};

TEST_F(EngineLater, WhatIsHealthyOrKnownToBeLostIsAnsweredAtOnce) {
  EXPECT_EQ(read(0, 2048), 1);
  EXPECT_EQ(read(kMainSize.value, 8), -EINVAL);
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(read(0, 2048), -EIO);
  EXPECT_TRUE(answers.wait_for(0).empty());
}

TEST_F(EngineLater, ALossIsDurableBeforeItIsAnswered) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(read(0, 256), kLater);
  EXPECT_EQ(answers.wait_for(1), std::vector<int>{-EIO});
  rig.restart();
  EXPECT_EQ(rig.in_state(format::State::lost), (std::vector<SectorRange>{{{64}, {8}}}));
}

TEST_F(EngineLater, WhatReadsOnALaterTryIsReturnedAsLastWritten) {
  EXPECT_EQ(rig.write(0, 2048, 7), 0);
  std::atomic<int> left{2};
  rig.main.set_hook([&left](const sim::Request& request) -> io::IoStatus {
    const bool bad = request.range.overlaps({{64}, {8}});
    return {bad && left.fetch_sub(1) > 0 ? EIO : 0};
  });
  EXPECT_EQ(read(0, 2048), kLater);
  EXPECT_EQ(answers.wait_for(1), std::vector<int>{7});
}

TEST_F(EngineLater, OneThreadMayAskForManyBadPlacesAndStillReadsHealthyOnes) {
  constexpr std::size_t kReads = 24;
  hang_when_asked_again({{0}, {kReads * 64}});
  for (std::uint64_t i = 0; i < kReads; ++i) EXPECT_EQ(read(i * 64, 8), kLater);
  EXPECT_EQ(read(20'000, 8), 1);
  EXPECT_TRUE(answers.wait_for(0).empty());
  drive_answers = true;
  EXPECT_EQ(answers.wait_for(kReads), std::vector<int>(kReads, -EIO));
  EXPECT_EQ(rig.table().lost, kReads * 8);
}

// What one of the few threads looks into is asked for again and again: the others must not all wait
// for that one.
TEST_F(EngineLater, ReadsOfWhatIsLookedIntoKeepNoOtherBadPlaceWaiting) {
  std::atomic<bool> taken_apart{false};
  rig.main.fail_reads({{64}, {8}}, EIO);
  rig.main.fail_reads({{4096}, {8}}, EIO);
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    const bool watched =
        request.kind == sim::Request::Kind::read && request.range == SectorRange{{64}, {1}};
    if (watched) taken_apart = true;
    while (watched && !drive_answers) std::this_thread::sleep_for(milliseconds(1));
    return {};
  });
  EXPECT_EQ(read(64, 8), kLater);
  while (!taken_apart) std::this_thread::sleep_for(milliseconds(1));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(read(64, 8), kLater);
  EXPECT_EQ(read(4096, 8), kLater);
  EXPECT_EQ(answers.wait_for(1), std::vector<int>{-EIO});
  EXPECT_EQ(rig.in_state(format::State::lost), (std::vector<SectorRange>{{{4096}, {8}}}));
  drive_answers = true;
  EXPECT_EQ(answers.wait_for(10), std::vector<int>(10, -EIO));
}

class EngineLaterDeadline : public EngineLater {
 protected:
  EngineLaterDeadline() {
    rig.stop();
    rig.content.configuration.request_deadline_ms = 1'000;
    EXPECT_TRUE(metadata::Store::create(rig.spare, rig.content, rig.random, system_clock()));
    rig.start();
  }
};

TEST_F(EngineLaterDeadline, ADriveThatDoesNotAnswerInTimeIsAnsweredForOnce) {
  hang_when_asked_again({{64}, {1'024}});
  constexpr std::size_t kReads = 8;  // more than there are threads to look into them
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < kReads; ++i) EXPECT_EQ(read(64 + i * 64, 8), kLater);
  EXPECT_EQ(answers.wait_for(kReads), std::vector<int>(kReads, -ETIMEDOUT));
  const auto took = std::chrono::steady_clock::now() - begun;
  EXPECT_GT(took, milliseconds(900));
  EXPECT_LT(took, seconds(8));
  drive_answers = true;
  // Nobody is answered twice.
  EXPECT_TRUE(soon([&] { return rig.table().lost > 0; }));
  rig.stop();
  EXPECT_EQ(answers.wait_for(kReads).size(), kReads);
}

// All threads had others until the deadline: then whoever asks again would wait for it in vain
// again.
TEST_F(EngineLaterDeadline, WhatNobodyCameToIsFoundOutWhenThereIsTime) {
  constexpr std::size_t kReads = 8;
  hang_when_asked_again({{64}, {1'024}});
  for (std::uint64_t i = 0; i < kReads; ++i) EXPECT_EQ(read(64 + i * 64, 8), kLater);
  EXPECT_EQ(answers.wait_for(kReads), std::vector<int>(kReads, -ETIMEDOUT));
  drive_answers = true;
  EXPECT_TRUE(soon([&] { return rig.table().lost == kReads * 8; })) << rig.table().lost;
}

TEST_F(EngineLaterDeadline, AReadThatIsGivenUpIsToldOfOnce) {
  const auto told = [&] {
    auto events = rig.events.of(format::EventKind::degraded);
    std::erase_if(events, [](const format::Event& event) {
      return event.text != "read given up, still looked into";
    });
    return events;
  };
  hang_when_asked_again({{64}, {1'024}});
  EXPECT_EQ(read(64, 8), kLater);
  EXPECT_EQ(answers.wait_for(1), std::vector<int>{-ETIMEDOUT});
  EXPECT_TRUE(soon([&] { return told().size() == 1; }));
  EXPECT_EQ(told().front().main, (SectorRange{{64}, {8}}));
  EXPECT_EQ(told().front().error, ETIMEDOUT);
  EXPECT_LE(told().front().text.size(), format::kEventTextBytes);
  // A program that tries on and on does not push all else out of the log.
  EXPECT_EQ(read(64, 8), kLater);
  EXPECT_EQ(answers.wait_for(2).back(), -ETIMEDOUT);
  drive_answers = true;
  EXPECT_TRUE(soon([&] { return rig.table().lost == 8; }));
  EXPECT_EQ(told().size(), 1U);
}

TEST_F(EngineLaterDeadline, ReadsThatWaitedInVainAreFoundOutToo) {
  constexpr std::size_t kReads = 8;
  const SectorRange bad{{64}, {1'024}};
  rig.main.fail_reads(bad, EIO);
  // Each caller's first try fails at once.
  std::array<std::atomic<int>, kReads> tries{};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind != sim::Request::Kind::read || !request.range.overlaps(bad)) return {};
    const bool again = tries.at((request.range.first.value - 64) / 64).fetch_add(1) > 0;
    while (again && !drive_answers) std::this_thread::sleep_for(milliseconds(1));
    return {};
  });
  std::vector<std::thread> readers;
  for (std::uint64_t i = 0; i < kReads; ++i) {
    readers.emplace_back([&, i] { EXPECT_EQ(rig.read(64 + i * 64, 8), -ETIMEDOUT); });
  }
  for (std::thread& reader : readers) reader.join();
  drive_answers = true;
  EXPECT_TRUE(soon([&] { return rig.table().lost == kReads * 8; })) << rig.table().lost;
}

TEST_F(EngineLaterDeadline, WhatSomebodyWaitsForFindsAThreadBesideWhatNobodyWaitsFor) {
  const SectorRange first{{64}, {256}};
  const SectorRange second{{512}, {512}};
  const SectorRange fresh{{4096}, {8}};
  for (const SectorRange& bad : {first, second, fresh}) rig.main.fail_reads(bad, EIO);
  std::atomic<bool> first_answers{false};
  std::atomic<int> asked_late{0};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind != sim::Request::Kind::read || std::this_thread::get_id() == caller) return {};
    if (first.overlaps(request.range)) {
      while (!first_answers && !drive_answers) std::this_thread::sleep_for(milliseconds(1));
    } else if (second.overlaps(request.range)) {
      ++asked_late;
      while (!drive_answers) std::this_thread::sleep_for(milliseconds(1));
    }
    return {};
  });
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(read(64 + i * 64, 8), kLater);
  EXPECT_TRUE(soon([&] { return answers.wait_for(0).size() == 4; }));
  for (std::uint64_t i = 0; i < 8; ++i) EXPECT_EQ(read(512 + i * 64, 8), kLater);
  EXPECT_EQ(answers.wait_for(12), std::vector<int>(12, -ETIMEDOUT));
  first_answers = true;
  EXPECT_TRUE(soon([&] { return rig.table().lost == 32 && asked_late > 0; }));
  EXPECT_EQ(read(fresh.first.value, 8), kLater);
  EXPECT_EQ(answers.wait_for(13).back(), -EIO);
}

}  // namespace
}  // namespace dmremap::remap
