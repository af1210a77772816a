// SPDX-License-Identifier: GPL-2.0-or-later
// Who is asked before a range counts as quiet, and who is told of a new table.
#include "table/live_table.hpp"

#include <array>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::table {
namespace {

constexpr SectorCount kSize{8'192};
constexpr std::uint64_t kMilliseconds = 1'000'000;

// A target with one request in flight.
class Target final : public PinSource {
 public:
  bool drain(SectorRange range, Clock& clock, std::uint64_t deadline_ns) const override {
    while (in_flight.load() && in_flight_range.overlaps(range)) {
      if (clock.monotonic_ns() >= deadline_ns) return false;
      std::this_thread::yield();
    }
    return true;
  }
  std::uint64_t oldest() const override { return epoch; }

  std::atomic<bool> in_flight{true};
  SectorRange in_flight_range{{64}, {8}};
  std::uint64_t epoch = 0;
};

TEST(LiveTable, ADrainWaitsForTheRequestsOfEverySource) {
  Target target;
  LiveTable live(kSize, Table(), system_scheduling());
  live.add(target);
  const auto soon = [] { return system_clock().monotonic_ns() + 20 * kMilliseconds; };
  {
    const auto elsewhere = live.hold({{{100}, {8}}});
    EXPECT_TRUE(live.drain(elsewhere, system_clock(), soon()));
  }
  const auto hold = live.hold({{{0}, {8}}, {{60}, {8}}});
  EXPECT_FALSE(live.drain(hold, system_clock(), soon()));
  target.in_flight = false;
  EXPECT_TRUE(live.drain(hold, system_clock(), soon()));
  const auto watch = live.watch({{64}, {8}});
  ASSERT_TRUE(watch);
  target.in_flight = true;
  EXPECT_FALSE(live.drain(*watch, system_clock(), soon()));
}

TEST(LiveTable, WhatARequestOfAnySourceMaySeeIsNotForgotten) {
  Target target;
  LiveTable live(kSize, Table(), system_scheduling());
  live.add(target);
  const std::array changed{SectorRange{{64}, {8}}};
  const std::uint64_t epoch = live.publish(Table(), changed);
  target.epoch = epoch - 1;
  EXPECT_EQ(live.oldest_request(), epoch - 1) << "it may still go by the table before";
  target.epoch = epoch + 7;
  EXPECT_GE(live.oldest_request(), epoch);
  EXPECT_LT(live.oldest_request(), epoch + 7) << "this process has gone no further";
}

TEST(LiveTable, SubscribersAreToldOfEveryTableAfterRequestsSeeIt) {
  struct Seen final : TableSubscriber {
    void on_table(const Table& table, std::span<const SectorRange> changed) override {
      extents.push_back(table.size());
      ranges.emplace_back(changed.begin(), changed.end());
      const Pins::Pin pin = live->pin({{64}, {8}});
      seen_by_requests.push_back(live->snapshot().table.size());
    }
    LiveTable* live = nullptr;
    std::vector<std::size_t> extents;
    std::vector<std::size_t> seen_by_requests;
    std::vector<std::vector<SectorRange>> ranges;
  };
  Seen first;
  Seen second;
  LiveTable live(kSize, Table(), system_scheduling());
  first.live = second.live = &live;
  live.add(first);
  live.add(second);
  const format::Extent lost(format::State::lost, {{64}, {8}});
  const std::array changed{lost.main()};
  live.publish(Table(std::array{lost}, {}), changed);
  live.publish(Table(), changed);
  for (const Seen* seen : {&first, &second}) {
    EXPECT_EQ(seen->extents, (std::vector<std::size_t>{1, 0}));
    EXPECT_EQ(seen->seen_by_requests, seen->extents);
    EXPECT_EQ(seen->ranges, (std::vector<std::vector<SectorRange>>(2, {lost.main()})));
  }
}

}  // namespace
}  // namespace dmremap::table
