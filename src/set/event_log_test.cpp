// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/event_log.hpp"

#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace dmremap::set {
namespace {

class FixedClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return ++now_; }
  std::uint64_t monotonic_ns() override { return now_; }

 private:
  std::uint64_t now_ = 1000;
};

format::Event event(format::EventKind kind, std::string text = {}) {
  format::Event made;
  made.kind = kind;
  made.text = std::move(text);
  return made;
}

format::Health stored_health(std::uint64_t events) {
  format::Health health;
  for (std::uint64_t n = 1; n <= events; ++n) {
    format::Event made = event(format::EventKind::remap);
    made.number = n;
    health.events.push_back(made);
  }
  health.next_event = events + 1;
  return health;
}

TEST(EventLog, GoesOnWithTheNumbersOfEarlierRuns) {
  FixedClock clock;
  EventLog log(clock, stored_health(3));
  log.on_event(event(format::EventKind::start));
  const auto all = log.since(0);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all.back().number, 4U);
  EXPECT_EQ(all.back().kind, format::EventKind::start);
  EXPECT_GT(all.back().wall_ns, 0U);
}

TEST(EventLog, NeverGivesANumberTwiceEvenIfTheStoredCounterIsBehind) {
  FixedClock clock;
  format::Health health = stored_health(5);
  health.next_event = 2;
  EventLog log(clock, health);
  log.on_event(event(format::EventKind::stop));
  EXPECT_EQ(log.since(5).front().number, 6U);
}

TEST(EventLog, SinceGivesOnlyWhatIsNewer) {
  FixedClock clock;
  EventLog log(clock, stored_health(3));
  EXPECT_EQ(log.since(2).size(), 1U);
  EXPECT_EQ(log.since(2).front().number, 3U);
  EXPECT_TRUE(log.since(3).empty());
}

TEST(EventLog, StoresTheLastEventsThatFit) {
  FixedClock clock;
  EventLog log(clock, {});
  for (std::size_t i = 0; i < format::kStoredEvents + 10; ++i) {
    log.on_event(event(format::EventKind::remap));
  }
  format::Health health;
  log.fill_health(health);
  ASSERT_EQ(health.events.size(), format::kStoredEvents);
  EXPECT_EQ(health.events.front().number, 11U);
  EXPECT_EQ(health.events.back().number, format::kStoredEvents + 10);
  EXPECT_EQ(health.next_event, format::kStoredEvents + 11);
}

TEST(EventLog, KeepsABoundedNumberInMemory) {
  FixedClock clock;
  EventLog log(clock, {});
  for (std::size_t i = 0; i < EventLog::kKept + 5; ++i) {
    log.on_event(event(format::EventKind::remap));
  }
  EXPECT_EQ(log.since(0).size(), EventLog::kKept);
  EXPECT_EQ(log.since(0).front().number, 6U);
}

TEST(EventLog, AFollowerIsWokenByTheNextEvent) {
  FixedClock clock;
  EventLog log(clock, {});
  std::thread writer([&] { log.on_event(event(format::EventKind::gone, "late")); });
  const auto got = log.wait_since(0, std::chrono::seconds(20));
  writer.join();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got.front().text, "late");
}

TEST(EventLog, AFollowerGetsNothingWhenTimeRunsOut) {
  FixedClock clock;
  EventLog log(clock, stored_health(1));
  EXPECT_TRUE(log.wait_since(1, std::chrono::milliseconds(1)).empty());
}

}  // namespace
}  // namespace dmremap::set
