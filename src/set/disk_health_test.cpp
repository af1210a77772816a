// SPDX-License-Identifier: GPL-2.0-or-later
// What a set gathers of its disk: over an engine with simulated devices, and drives that are made
// up.
#include "set/disk_health.hpp"

#include <algorithm>
#include <cerrno>

#include <gtest/gtest.h>

#include "rig/engine_rig.hpp"

namespace dmremap::set {
namespace {

using health::Count;
using health::Level;
using health::ReasonCode;
using health::SmartState;
using health::Verdict;

class TestClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return now_ns + 1'700'000'000ULL * 1'000'000'000; }
  std::uint64_t monotonic_ns() override { return now_ns; }
  void pass_days(unsigned days) { now_ns += days * 86'400ULL * 1'000'000'000; }

  std::uint64_t now_ns = 1;
};

DriveAnswer answer_with(std::uint64_t pending) {
  DriveAnswer out;
  out.place.node = "/dev/sdz";
  out.place.medium = health::Medium::disk;
  out.reading.state = SmartState::read;
  out.reading.serial = "WD-1";
  out.reading.passed = true;
  out.reading.pending = pending;
  out.believed = true;
  return out;
}

class DiskHealthTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rig.start();
    make();
  }
  // Each one made has what the one before it remembered.
  void make() {
    it.reset();
    DiskHealth::Parts parts;
    parts.engine = rig.engine.get();
    parts.clock = &clock;
    parts.ask = [this](const std::string& serial, const std::function<bool()>&) {
      ++asked;
      earlier_serial = serial;
      if (during_ask) during_ask();
      return answer;
    };
    parts.on_answer = [this](const DriveAnswer&) { return set_to; };
    parts.look_at = [this](std::span<const SectorRange> places) {
      looked_at.assign(places.begin(), places.end());
    };
    parts.scanner = [this] { return scanner; };
    parts.stored = remembered;
    parts.remember = [this](const format::DiskHistorySection& disk) {
      remembered = disk;
      ++commits;
      return Result<void>();
    };
    parts.first_ask = first_ask;
    parts.remember_every = remember_every;
    it.emplace(std::move(parts));
  }
  [[nodiscard]] bool says(ReasonCode code) {
    const auto reasons = it->status().verdict.reasons;
    return std::ranges::find(reasons, code, &health::Reason::code) != reasons.end();
  }
  void lose(std::uint64_t first, std::uint64_t count) {
    rig.main.fail_reads({{first}, {count}}, EIO);
    EXPECT_EQ(rig.read(first, count), -EIO);
  }

  remap::Reopener reopener;  // of those that use it; outlives the engine
  remap::Rig rig;
  TestClock clock;
  DriveAnswer answer;
  std::optional<DriveTimeouts::Report> set_to;
  ScannerStatus scanner;
  int asked = 0;
  int commits = 0;
  std::string earlier_serial;
  std::function<void()> during_ask;
  std::vector<SectorRange> looked_at;
  std::chrono::seconds first_ask{0};
  std::chrono::seconds remember_every{0};
  std::optional<format::DiskHistorySection> remembered;
  std::optional<DiskHealth> it;
};

TEST_F(DiskHealthTest, NothingIsKnownOfANewSet) {
  it->look();
  EXPECT_EQ(it->status().verdict.verdict, Verdict::unknown);
  EXPECT_FALSE(it->status().verdict.reasons.empty());
  EXPECT_EQ(commits, 0) << "nor is there anything to remember";
}

TEST_F(DiskHealthTest, WhatIsLostCountsOnItsDayAndOverARestart) {
  clock.pass_days(3);
  lose(2'000, 3);
  it->look();
  EXPECT_EQ(it->history().total(Count::lost), 3U);
  EXPECT_EQ(it->status().verdict.verdict, Verdict::watch);
  EXPECT_TRUE(says(ReasonCode::bad_growing));
  it->look();
  EXPECT_EQ(it->history().total(Count::lost), 3U) << "once";
  make();
  EXPECT_EQ(it->history().total(Count::lost), 3U) << "it was committed";
  EXPECT_EQ(it->history().days_with(Count::lost, 30), 1U);
}

TEST_F(DiskHealthTest, AStopHasWhatTheLastMinuteBrought) {
  it->look();
  lose(2'000, 2);
  remembered = it->memory();
  make();
  EXPECT_EQ(it->history().total(Count::lost), 2U);
}

TEST_F(DiskHealthTest, ACommitThatIsMadeAnywayTakesItAlong) {
  it->look();
  EXPECT_FALSE(it->memory_for_commit()) << "nothing is new";
  lose(2'000, 2);
  (void)it->status();
  const auto carried = it->memory_for_commit();
  ASSERT_TRUE(carried);
  EXPECT_FALSE(it->memory_for_commit()) << "once";
  const int before = commits;
  it->look();
  EXPECT_EQ(commits, before) << "it is remembered";
  remember_every = std::chrono::seconds(60);
  remembered = carried;
  make();
  EXPECT_EQ(it->history().total(Count::lost), 2U);
  lose(4'000, 1);
  (void)it->status();
  EXPECT_FALSE(it->memory_for_commit()) << "not with every commit";
  clock.now_ns += 31ULL * 1'000'000'000;
  EXPECT_TRUE(it->memory_for_commit());
}

TEST_F(DiskHealthTest, WhoeverHasJustStartedASetIsLeftAlone) {
  first_ask = std::chrono::seconds(5);
  remember_every = std::chrono::seconds(60);
  make();
  lose(2'000, 2);
  it->look();
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(commits, 0);
  clock.now_ns += 6ULL * 1'000'000'000;
  it->look();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(commits, 0);
  clock.now_ns += 60ULL * 1'000'000'000;
  it->look();
  EXPECT_EQ(commits, 1);
}

TEST_F(DiskHealthTest, TimeAloneIsCommittedAFewTimesADay) {
  it->look();
  const int first = commits;
  for (int minute = 0; minute < 24 * 60; ++minute) {
    clock.now_ns += 60ULL * 1'000'000'000;
    it->look();
  }
  EXPECT_GE(commits - first, 4);
  EXPECT_LE(commits - first, 6);
  EXPECT_EQ(it->history().today(), 1U);
}

TEST_F(DiskHealthTest, TheDriveIsAskedOnceADayAndItsWordIsNoted) {
  answer = answer_with(0);
  it->look();
  it->look();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(it->status().smart->state, "read");
  EXPECT_EQ(remembered->drive_serial, "WD-1");
  answer = answer_with(9);
  clock.pass_days(1);
  it->look();
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(earlier_serial, "WD-1");
  EXPECT_EQ(it->history().latest(Level::pending), 9U);
  EXPECT_TRUE(says(ReasonCode::smart_errors_grew) || says(ReasonCode::smart_errors_new));
}

TEST_F(DiskHealthTest, WhatAnotherDriveSaysReachesNothing) {
  answer = answer_with(9);
  answer.believed = false;
  answer.reason = "the answer is of another disk";
  answer.defects = {{{100}, {1}}};
  it->look();
  EXPECT_FALSE(it->history().latest(Level::pending));
  EXPECT_TRUE(looked_at.empty());
  EXPECT_EQ(it->status().smart->reason, "the answer is of another disk");
  EXPECT_TRUE(says(ReasonCode::smart_unknown));
}

TEST_F(DiskHealthTest, ADriveThatSleepsKeepsItsLastWord) {
  answer = answer_with(0);
  answer.reading.passed = false;
  it->look();
  EXPECT_TRUE(says(ReasonCode::smart_failing));
  answer = {};
  answer.reading.state = SmartState::asleep;
  answer.reason = "the disk sleeps";
  clock.pass_days(2);
  it->look();
  EXPECT_TRUE(says(ReasonCode::smart_failing)) << "two days old";
  EXPECT_EQ(it->status().smart->state, "asleep");
}

TEST_F(DiskHealthTest, PlacesThatTheDriveCallsBadAreLookedAt) {
  answer = answer_with(1);
  answer.defects = {{{100}, {1}}, {{5'000}, {8}}};
  it->look();
  EXPECT_EQ(looked_at, answer.defects);
}

TEST_F(DiskHealthTest, ABridgeThatWasResetIsNeverAskedAgain) {
  answer = answer_with(0);
  answer.place.behind_usb = true;
  during_ask = [this] {
    rig.main.set_hook([](const sim::Request&) -> io::IoStatus { return {ENODEV}; });
    EXPECT_LT(rig.read(0, 8), 0);
  };
  it->look();
  clock.pass_days(2);
  it->look();
  EXPECT_EQ(asked, 1);
  make();
  it->look();
  EXPECT_EQ(asked, 1) << "nor after a restart";
  EXPECT_NE(it->status().smart->reason.find("reset"), std::string::npos);
}

TEST_F(DiskHealthTest, ADriveThatWasSetIsAskedAgainWhenItIsBackAndNoOther) {
  it.reset();
  rig.stop();
  rig.evidence = {rig.block_hash(30'000)};  // what it is known by when it is back
  rig.start(&reopener);
  make();
  answer = answer_with(0);
  const auto go_away_and_come_back = [&] {
    reopener.device = nullptr;
    rig.main.set_hook([](const sim::Request&) -> io::IoStatus { return {ENODEV}; });
    EXPECT_LT(rig.read(0, 8), 0);
    it->look();
    rig.main.set_hook({});
    reopener.device = &rig.main;
    EXPECT_TRUE(remap::soon([&] { return !rig.engine->conditions().tripped; }));
  };
  it->look();
  go_away_and_come_back();
  it->look();
  EXPECT_EQ(asked, 1) << "a failing drive is left in peace";
  clock.pass_days(2);
  set_to = DriveTimeouts::Report{{health::ErrorRecovery{true, 150}, std::nullopt, 30}, "bounded"};
  it->look();
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(it->status().smart->advice, "bounded");
  go_away_and_come_back();
  EXPECT_EQ(asked, 2) << "not while it is away";
  it->look();
  EXPECT_EQ(asked, 3);
  it->look();
  EXPECT_EQ(asked, 3) << "once";
}

TEST_F(DiskHealthTest, AfterAStopThatCameToNothingADriveThatWasSetIsAskedAgain) {
  answer = answer_with(0);
  set_to = DriveTimeouts::Report{{health::ErrorRecovery{true, 150}, std::nullopt, 30}, "bounded"};
  it->start();
  EXPECT_EQ(asked, 1);
  it->stop();
  it->look();
  EXPECT_EQ(asked, 1);
  it->go_on();
  it->look();
  EXPECT_EQ(asked, 2);
  it->look();
  EXPECT_EQ(asked, 2) << "once";
}

TEST_F(DiskHealthTest, ACleanPassAndLatenciesAreNoted) {
  it->look();
  scanner.clean_passes = 1;
  scanner.latency = {4'000, 9'000};
  it->look();
  EXPECT_EQ(remembered->clean_pass_day, 1U);
  EXPECT_EQ(it->history().latest(Level::latency_p99), health::latency_code(9'000));
  EXPECT_EQ(it->status().verdict.verdict, Verdict::good) << "all of it was read";
  clock.pass_days(40);
  make();
  EXPECT_EQ(remembered->clean_pass_day, 1U);
}

TEST_F(DiskHealthTest, ASerialThatNoTextMayHoldIsNotKept) {
  answer = answer_with(0);
  answer.reading.serial = "WD\n1";
  it->look();
  EXPECT_EQ(remembered->drive_serial, "");
  answer.reading.serial = std::string(200, 'x');
  clock.pass_days(1);
  it->look();
  EXPECT_EQ(remembered->drive_serial.size(), format::kDriveSerialBytes);
}

TEST_F(DiskHealthTest, AStoppedSetIsJudgedByWhatItKept) {
  clock.pass_days(3);
  lose(2'000, 3);
  it->look();
  const HealthStatus stopped = health_of_stopped(*remembered, rig.engine->table_counts(), {});
  EXPECT_EQ(stopped.verdict.verdict, Verdict::watch);
  EXPECT_FALSE(stopped.smart);
  EXPECT_NEAR(stopped.observed_days, 3, 0.01);
}

}  // namespace
}  // namespace dmremap::set
