// SPDX-License-Identifier: GPL-2.0-or-later
// The order of checks, what each refusal leaves behind, and that nothing comes between the last
// look and the change.
#include "remap/writer/quiesced_range.hpp"

#include <future>
#include <thread>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::State;

constexpr SectorRange kRange{{100}, {8}};
constexpr SectorRange kBehind{{108}, {8}};

class Quiesce : public ::testing::Test {
 protected:
  Quiesce() {
    content.identity.main.size = kMainSize;
    content.identity.spare.size = kSpareSize;
    parts.main = &main;
    parts.spares = {&spare};
    parts.store = &store;
    parts.clock = &system_clock();
    parts.watch_pauses = false;
    auto allocator =
        table::Allocator::of(kFirstSpare, kSpareSize, format::reserved_ranges(kSpareSize),
                             table::Table{}, main.geometry().unit());
    path = std::make_unique<DataPath>(parts, content, table::Table{},
                                      std::vector{std::move(*allocator)});
    remapper = std::make_unique<Remapper>(*path, store, table::Table{}, content);
  }
  ~Quiesce() override { remapper->stop(); }

  [[nodiscard]] std::uint64_t in_ms(std::uint64_t ms) const {
    return path->clock.monotonic_ns() + ms * 1'000'000;
  }
  auto take(std::vector<SectorRange> ranges, NeedsMain needs_main = NeedsMain::yes,
            std::uint64_t ms = 60'000) {
    return quiesce(*path, *remapper, std::move(ranges), needs_main, in_ms(ms));
  }
  [[nodiscard]] bool held(SectorRange range) const {
    const auto pin = path->live.pin({{kMainSize.value - 1}, {1}});
    return path->live.snapshot().held(range);
  }
  void trip() { path->trip_because("on command"); }
  // What a user's write whose sectors main refused does, while it is pinned.
  void store_pinned(SectorRange range) {
    const auto data = pattern(range.count.value, 7);
    const Item item{Item::Kind::store, range, data, EIO};
    ASSERT_EQ(remapper->run({&item, 1}), Outcome::done);
  }
  static Outcome mark_lost(QuiescedRange& quiesced, SectorRange range) {
    const Item item{Item::Kind::mark_lost, range, {}, EIO};
    return quiesced.bind({&item, 1});
  }
  [[nodiscard]] State state_of(const table::Table& table, SectorRange range) const {
    return table.piece_at(range.first, range.end()).state;
  }

  sim::SimDevice main{{kMainSize, 512, 4096}, "main"};
  sim::SimDevice spare{{kSpareSize, 512, 4096}, "spare"};
  FakeStore store;
  format::Content content;
  EngineParts parts;
  std::unique_ptr<DataPath> path;
  std::unique_ptr<Remapper> remapper;
};

TEST_F(Quiesce, IsRefusedBeforeAnythingIsWaitedFor) {
  const auto holder = take({kRange});
  ASSERT_TRUE(holder);
  trip();
  EXPECT_EQ(take({kRange}).error(), QuiesceFailure::tripped) << "did not wait for the holder";
  path->go_read_only("on command");
  EXPECT_EQ(take({kRange}).error(), QuiesceFailure::read_only) << "goes before tripped";
  EXPECT_EQ(take({kRange}, NeedsMain::no).error(), QuiesceFailure::read_only);
}

TEST_F(Quiesce, WhatDoesNotNeedMainIsNotRefusedWhileItIsAway) {
  trip();
  EXPECT_TRUE(take({kRange}, NeedsMain::no));
}

TEST_F(Quiesce, WritesWaitUntilItEnds) {
  auto quiesced = take({kRange});
  ASSERT_TRUE(quiesced);
  EXPECT_TRUE(held(kRange));
  EXPECT_FALSE(held(kBehind));
  const SectorRange across{{104}, {8}};
  auto waiting = std::async(std::launch::async, [&] { path->live.wait_unheld(across); });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  { const QuiescedRange end = std::move(*quiesced); }
  waiting.get();
  EXPECT_FALSE(held(kRange));
}

TEST_F(Quiesce, ARequestThatDoesNotEndIsATimeoutAndTheHoldIsLetGo) {
  const auto pin = path->live.pin(kRange);
  EXPECT_EQ(take({kRange}, NeedsMain::yes, 5).error(), QuiesceFailure::timeout);
  EXPECT_FALSE(held(kRange));
  EXPECT_TRUE(take({kBehind}, NeedsMain::yes, 5)) << "it is in nobody else's way";
}

TEST_F(Quiesce, AWriteThatCameInBetweenIsSeen) {
  auto pin = path->live.pin(kRange);
  auto quiescing = std::async(std::launch::async, [&] { return take({kRange}); });
  ASSERT_TRUE(soon([&] { return held(kRange); }));
  store_pinned(kRange);
  pin.release();
  const auto quiesced = quiescing.get();
  ASSERT_TRUE(quiesced);
  EXPECT_EQ(state_of(quiesced->table(), kRange), State::remapped);
}

TEST_F(Quiesce, WhatHappensWhileWaitingIsAskedAgain) {
  auto pin = path->live.pin(kRange);
  auto quiescing = std::async(std::launch::async, [&] { return take({kRange}).error(); });
  ASSERT_TRUE(soon([&] { return held(kRange); }));
  trip();
  pin.release();
  EXPECT_EQ(quiescing.get(), QuiesceFailure::tripped);
  EXPECT_FALSE(held(kRange));

  auto second = path->live.pin(kRange);
  quiescing = std::async(std::launch::async, [&] { return take({kRange}, NeedsMain::no).error(); });
  ASSERT_TRUE(soon([&] { return held(kRange); }));
  path->go_read_only("on command");
  second.release();
  EXPECT_EQ(quiescing.get(), QuiesceFailure::read_only);
  EXPECT_FALSE(held(kRange));
}

TEST_F(Quiesce, NobodyElseBindsMeanwhile) {
  auto first = take({kRange});
  ASSERT_TRUE(first);
  std::atomic<bool> bound{false};
  auto second = std::async(std::launch::async, [&] {
    const auto quiesced = take({{{104}, {8}}});
    EXPECT_TRUE(bound.load()) << "it waited for the first";
    return quiesced ? state_of(quiesced->table(), kRange) : State::retired;
  });
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  EXPECT_EQ(mark_lost(*first, kRange), Outcome::done);
  bound.store(true);
  { const QuiescedRange end = std::move(*first); }
  EXPECT_EQ(second.get(), State::lost) << "and saw what that had bound";
}

TEST_F(Quiesce, SeveralRangesAreHeldAsOne) {
  // In opposite order: held one by one, two of these would wait for each other.
  const auto often = [&](SectorRange a, SectorRange b) {
    return std::async(std::launch::async, [this, a, b] {
      for (int i = 0; i < 500; ++i) EXPECT_TRUE(take({a, b}));
    });
  };
  const SectorRange far{{20'000}, {8}};
  auto one = often(kRange, far);
  auto other = often(far, kRange);
  one.get();
  other.get();
  const auto quiesced = take({far, kRange, kBehind});
  ASSERT_TRUE(quiesced);
  EXPECT_TRUE(held(kRange) && held(kBehind) && held(far));
  EXPECT_FALSE(held({{1'000}, {8}}));
}

TEST_F(Quiesce, ManyRangesAreHeldWithTheirGaps) {
  std::vector<SectorRange> ranges;
  for (std::uint64_t i = 0; i < 2'000; ++i) ranges.push_back({{i * 16}, {8}});
  auto quiesced = take(ranges);
  ASSERT_TRUE(quiesced);
  for (const SectorRange& range : ranges) ASSERT_TRUE(held(range));
  const auto pin = path->live.pin({{kMainSize.value - 1}, {1}});
  EXPECT_LE(path->live.snapshot().holds.size(), QuiescedRange::kMostHolds);
  EXPECT_EQ(mark_lost(*quiesced, ranges.back()), Outcome::done);
}

TEST_F(Quiesce, BindingNothingIsNoCommit) {
  auto quiesced = take({kRange});
  ASSERT_TRUE(quiesced);
  const std::uint64_t before = store.name.sequence;
  store.alone = false;  // a commit would find out
  EXPECT_EQ(quiesced->bind({}), Outcome::done);
  EXPECT_TRUE(path->writable());
  store.alone = true;
  EXPECT_EQ(mark_lost(*quiesced, kRange), Outcome::done);
  EXPECT_EQ(store.name.sequence, before + 1);
}

using QuiesceDeathTest = Quiesce;

TEST_F(QuiesceDeathTest, WhatIsNotHeldIsNotBound) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        auto quiesced = take({kRange, {{200}, {8}}});
        (void)mark_lost(*quiesced, {{104}, {8}});
      },
      "covers");
}

class Watching : public Quiesce {
 protected:
  auto watch(SectorRange range = kRange, std::uint64_t ms = 60'000) {
    return WatchedRange::begin(*path, range, in_ms(ms));
  }
  // As a request that overlaps a watch does.
  void write_pinned(SectorRange range) {
    const auto pin = path->live.pin(range);
    path->live.snapshot().note_write(range);
  }
  bool is_undisturbed(const WatchedRange& watched) {
    const auto quiesced = take({watched.range()});
    EXPECT_TRUE(quiesced);
    return quiesced && watched.is_undisturbed(*quiesced);
  }
};

TEST_F(Watching, AQuietRangeIsUndisturbed) {
  const auto watched = watch();
  ASSERT_TRUE(watched);
  EXPECT_FALSE(held(kRange)) << "writes go on";
  write_pinned(kBehind);
  EXPECT_TRUE(is_undisturbed(*watched));
}

TEST_F(Watching, AWriteDisturbsThoughTheTableSaysTheSame) {
  const auto watched = watch();
  ASSERT_TRUE(watched);
  write_pinned({{107}, {2}});
  EXPECT_FALSE(is_undisturbed(*watched));
}

TEST_F(Watching, AnotherStateDisturbsThoughNobodyWrote) {
  const auto watched = watch();
  ASSERT_TRUE(watched);
  {
    auto other = take({kRange});
    ASSERT_TRUE(other);
    ASSERT_EQ(mark_lost(*other, {{107}, {1}}), Outcome::done);
  }
  EXPECT_FALSE(is_undisturbed(*watched));
}

TEST_F(Watching, OneWatchesAtATime) {
  {
    const auto watched = watch();
    ASSERT_TRUE(watched);
    EXPECT_EQ(watch({{107}, {2}}).error(), WatchFailure::watched);
    EXPECT_TRUE(watch(kBehind));
  }
  EXPECT_TRUE(watch());
}

TEST_F(Watching, WhatBeganBeforeIsWaitedFor) {
  auto pin = path->live.pin(kRange);
  EXPECT_EQ(watch(kRange, 5).error(), WatchFailure::timeout);
  auto watching = std::async(std::launch::async, [&] { return watch(); });
  EXPECT_EQ(watching.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  store_pinned(kRange);
  pin.release();
  const auto watched = watching.get();
  ASSERT_TRUE(watched);
  EXPECT_EQ(state_of(watched->table(), kRange), State::remapped);
  EXPECT_TRUE(is_undisturbed(*watched));
}

}  // namespace
}  // namespace dmremap::remap
