// SPDX-License-Identifier: GPL-2.0-or-later
// A spare that becomes larger while the set runs: its new room is used once the commit that says so
// is acknowledged, and not before.
#include <map>

#include "metadata/offline.hpp"
#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::EventKind;
using format::State;

constexpr SectorCount kOldSize{32'768};
constexpr SectorCount kNewSize{40'960};
constexpr std::uint64_t kFirstBad = 64;

// All but `left` sectors of the spare's data areas, at their end, as if they had been given up.
std::vector<format::Extent> all_retired_but(SectorCount left, SectorCount size) {
  std::vector<format::Extent> out;
  Sector at{0};
  std::vector<SectorRange> areas = format::reserved_ranges(size);
  areas.push_back({Sector{} + size, {0}});
  for (const SectorRange& copy : areas) {
    if (at < copy.first) {
      out.push_back({State::retired, {{0}, copy.first - at}, {kFirstSpare, at}});
    }
    at = copy.end();
  }
  const format::Extent last = out.back();
  out.back() = {State::retired, {{0}, last.spare().count - left}, last.spare().first};
  return out;
}

class SpareGrowth : public ::testing::Test {
 protected:
  // Main takes no write from kFirstBad on, and the spare has 16 sectors left.
  void SetUp() override {
    rig.content.retired = all_retired_but({16}, kOldSize);
    ASSERT_TRUE(metadata::Store::create(rig.spare, rig.content, rig.random, system_clock()));
    rig.main.fail_writes({{kFirstBad}, {512}}, ENODATA);
    rig.start();
    ASSERT_EQ(rig.table().spare_free, 16U);
  }
  void fill() {
    ASSERT_EQ(rig.write(kFirstBad, 16, 2), 0);
    ASSERT_EQ(rig.write(kFirstBad + 16, 8, 3), ENOSPC);
    ASSERT_TRUE(rig.engine->conditions().spare_full);
  }
  [[nodiscard]] SectorCount recorded_size() {
    return format::usable_spare_size(*metadata::survey(rig.spare)->content);
  }

  // Two sizes to which the spare may grow, but not to the second one after the first: what would
  // lie near its end lies on what is in use by then.
  static std::pair<SectorCount, SectorCount> sizes_in_each_others_way() {
    const SectorCount first{kNewSize.value + 512};
    const SectorCount later{kNewSize.value + 1024};
    EXPECT_EQ(format::largest_growth(kOldSize, first), first);
    EXPECT_EQ(format::largest_growth(kOldSize, later), later);
    EXPECT_NE(format::largest_growth(first, later), later);
    return {first, later};
  }
  [[nodiscard]] bool is_blank(SectorRange range) {
    const std::vector<std::byte> contents = rig.spare.contents();
    const auto bytes = std::span(contents).subspan(range.first.byte_offset(), range.count.bytes());
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
  }

  Rig rig{{kMainSize, 512, 4096}, kOldSize};
};

TEST_F(SpareGrowth, AFullSpareTakesWritesAgain) {
  fill();
  rig.spare.grow(kNewSize);
  EXPECT_EQ(rig.write(kFirstBad + 16, 8, 3), ENOSPC) << "nobody has taken the room over yet";
  const auto grown = rig.engine->grow_spare(kNewSize);
  ASSERT_TRUE(grown) << grown.error().message();
  EXPECT_FALSE(rig.engine->conditions().spare_full);
  EXPECT_EQ(rig.events.count(EventKind::spare_grown), 1U);
  EXPECT_EQ(rig.table().spare_size, kNewSize.value);
  const SectorRange signposts = format::signpost_area(kOldSize, kNewSize);
  EXPECT_EQ(rig.table().spare_free, (kNewSize - kOldSize - signposts.count).value);
  EXPECT_EQ(rig.write(kFirstBad + 16, 8, 4), 0);
  EXPECT_GE(rig.spare_of(kFirstBad + 16).first.value, kOldSize.value);
  EXPECT_EQ(rig.read(kFirstBad + 16, 8), 4);
  rig.restart();
  EXPECT_EQ(rig.read(kFirstBad, 16), 2);
  EXPECT_EQ(rig.read(kFirstBad + 16, 8), 4);
  EXPECT_EQ(rig.table().spare_size, kNewSize.value);
}

TEST_F(SpareGrowth, ItMayGrowAgainAndAgain) {
  std::uint64_t at = kFirstBad;
  for (std::uint64_t size = kOldSize.value + 8; size < kOldSize.value + 80; size += 8) {
    rig.spare.grow({size});
    ASSERT_TRUE(rig.engine->grow_spare({size}));
    ASSERT_EQ(rig.write(at, 8, 5), 0);
    at += 8;
  }
  EXPECT_EQ(rig.read(kFirstBad, at - kFirstBad), 5);
}

TEST_F(SpareGrowth, ItIsNeverMadeSmallerNorLargerThanTheDevice) {
  EXPECT_EQ(rig.engine->grow_spare(kOldSize).error().code, ErrorCode::usage);
  EXPECT_EQ(rig.engine->grow_spare({kOldSize.value - 8}).error().code, ErrorCode::usage);
  EXPECT_EQ(rig.engine->grow_spare(kNewSize).error().code, ErrorCode::usage);
  rig.spare.grow(kNewSize);
  EXPECT_EQ(rig.engine->grow_spare({kNewSize.value - 1}).error().code, ErrorCode::usage);
  EXPECT_EQ(recorded_size(), kOldSize);
}

TEST_F(SpareGrowth, WithoutTheCommitTheNewRoomIsNotUsed) {
  fill();
  rig.spare.grow(kNewSize);
  for (const SectorRange& copy : format::reserved_ranges(kOldSize)) {
    rig.spare.fail_writes(copy, EIO);
  }
  const auto refused = rig.engine->grow_spare(kNewSize);
  ASSERT_FALSE(refused);
  EXPECT_EQ(rig.table().spare_free, 0U);
  EXPECT_EQ(rig.events.count(EventKind::spare_grown), 0U);
  rig.spare.clear_faults();
  EXPECT_EQ(recorded_size(), kOldSize);
  ASSERT_TRUE(rig.engine->grow_spare(kNewSize));
  EXPECT_EQ(recorded_size(), kNewSize);
  EXPECT_EQ(rig.write(kFirstBad + 16, 8, 4), 0);
}

// The kernel tells one caller alone that it lost writes: whoever makes the new length durable must
// let the users hear of that too.
TEST_F(SpareGrowth, AFlushThatFailsBeforeTheCommitIsOneOfTheUsers) {
  ASSERT_EQ(rig.write(kFirstBad, 16, 2), 0);
  ASSERT_EQ(rig.write(kFirstBad, 16, 3), 0);
  rig.spare.grow(kNewSize);
  std::atomic<bool> failed{false};
  rig.spare.set_hook([&failed](const sim::Request& request) -> io::IoStatus {
    const bool is_first = request.kind == sim::Request::Kind::flush && !failed.exchange(true);
    return {is_first ? EIO : 0};
  });
  EXPECT_FALSE(rig.engine->grow_spare(kNewSize));
  ASSERT_TRUE(failed);
  EXPECT_EQ(recorded_size(), kOldSize);
  EXPECT_FALSE(rig.engine->conditions().read_only) << "no commit was begun";
  EXPECT_EQ(rig.engine->flush().error, EIO);
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_TRUE(rig.engine->grow_spare(kNewSize));
}

// A commit may rely on the length of an image only when a flush that ended well has covered it.
TEST_F(SpareGrowth, TheNewLengthIsFlushedBeforeTheCommit) {
  rig.spare.grow(kNewSize);
  std::vector<sim::Request::Kind> kinds;
  rig.spare.set_hook([&kinds](const sim::Request& request) -> io::IoStatus {
    if (request.kind != sim::Request::Kind::read) kinds.push_back(request.kind);
    return {};
  });
  ASSERT_TRUE(rig.engine->grow_spare(kNewSize));
  rig.spare.set_hook({});
  ASSERT_FALSE(kinds.empty());
  EXPECT_EQ(kinds.front(), sim::Request::Kind::flush);
}

// Of two that are asked for at once the one that comes later was measured on a spare that was
// smaller. Its signposts would lie where the first one has given room to data.
TEST_F(SpareGrowth, OneThatWasAskedForBeforeAnotherIsMeasuredAnew) {
  const auto [first, later] = sizes_in_each_others_way();
  rig.spare.grow(later);
  std::atomic<bool> begun{false};
  std::atomic<bool> asked{false};
  rig.events.on_records = [&](format::Records&) {
    begun = true;
    (void)soon([&] { return asked.load(); });
    // For the other thread to have it in the queue, behind the commit that this is part of.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  };
  std::thread grower([&, size = first] { EXPECT_TRUE(rig.engine->grow_spare(size)); });
  ASSERT_TRUE(soon([&] { return begun.load(); }));
  asked = true;
  const auto refused = rig.engine->grow_spare(later);
  grower.join();
  rig.events.on_records = nullptr;
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
  EXPECT_EQ(recorded_size(), first);
  EXPECT_EQ(rig.table().spare_size, first.value);
  EXPECT_TRUE(is_blank(format::signpost_area(kOldSize, later))) << "room of the first one";
}

// Those that wait for the remapper at the same time are not one commit.
TEST_F(SpareGrowth, OfTwoAtOnceEachIsMeasuredByTheOneBefore) {
  const auto [first, later] = sizes_in_each_others_way();
  rig.spare.grow(later);
  std::atomic<bool> begun{false};
  std::atomic<int> asked{0};
  rig.events.on_records = [&](format::Records&) {
    if (begun.exchange(true)) return;
    (void)soon([&] { return asked == 2; });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  };
  std::thread other([&] { EXPECT_EQ(rig.write(kFirstBad, 8, 2), 0); });
  ASSERT_TRUE(soon([&] { return begun.load(); }));
  std::atomic<int> grown{0};
  const auto grow = [&](SectorCount size) {
    ++asked;
    if (rig.engine->grow_spare(size)) ++grown;
  };
  std::thread one(grow, first);
  EXPECT_TRUE(soon([&] { return asked == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::thread two(grow, later);
  other.join();
  one.join();
  two.join();
  rig.events.on_records = nullptr;
  // On a machine that stands still the larger one may be first; then the other one has what it
  // wants.
  EXPECT_EQ(grown, recorded_size() == later ? 2 : 1);
  const SectorRange signposts = format::signpost_area(kOldSize, later);
  EXPECT_TRUE(recorded_size() == later || is_blank(signposts)) << "room of the first one";
  const std::uint64_t free = rig.table().spare_free;
  rig.restart();
  EXPECT_EQ(rig.table().spare_free, free) << "what is reserved was handed out";
}

TEST_F(SpareGrowth, TheWholeNearRegionMayStillDie) {
  fill();
  rig.spare.grow(kNewSize);
  ASSERT_TRUE(rig.engine->grow_spare(kNewSize));
  ASSERT_EQ(rig.write(kFirstBad + 16, 8, 4), 0);
  rig.stop();
  rig.spare.poke({0}, pattern(format::kNearEnd.value, 0x55));
  rig.start();
  EXPECT_EQ(rig.read(kFirstBad, 16), 2);
  EXPECT_EQ(rig.read(kFirstBad + 16, 8), 4);
  EXPECT_EQ(rig.write(kFirstBad + 24, 8, 5), 0);
}

TEST_F(SpareGrowth, AReadOnlySetDoesNotGrow) {
  rig.stop();
  rig.spare.grow(kNewSize);
  rig.start_read_only();
  EXPECT_EQ(rig.engine->grow_spare(kNewSize).error().code, ErrorCode::read_only);
}

TEST_F(SpareGrowth, ASpareThatIsSmallerThanItWasGrownToIsRefused) {
  rig.spare.grow(kNewSize);
  ASSERT_TRUE(rig.engine->grow_spare(kNewSize));
  rig.stop();
  sim::SimDevice smaller({kOldSize, 512, 4096}, "smaller");
  const std::vector<std::byte> contents = rig.spare.contents();
  smaller.poke({0}, std::span(contents).first(kOldSize.bytes()));
  EngineParts parts;
  parts.main = &rig.main;
  parts.spares = {&smaller};
  parts.clock = &system_clock();
  const auto refused = Engine::start(parts, *metadata::survey(smaller)->content);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("smaller than the set says"), std::string::npos);
}

TEST_F(SpareGrowth, ASetThatGrewWhileItWasStoppedUsesTheRoom) {
  fill();
  rig.stop();
  rig.spare.grow(kNewSize);
  ASSERT_TRUE(metadata::grow(rig.spare, *metadata::survey(rig.spare), kNewSize, rig.random,
                             system_clock()));
  rig.start();
  EXPECT_FALSE(rig.engine->conditions().spare_full);
  EXPECT_EQ(rig.write(kFirstBad + 16, 8, 4), 0);
  EXPECT_EQ(rig.read(kFirstBad, 16), 2);
}

// Before each write and flush of the spare in turn the power goes, with all, none or some of what
// was not flushed.
TEST_F(SpareGrowth, Promise9_EveryStepMayBeTheLast) {
  rig.stop();
  rig.spare.grow(kNewSize);
  const std::vector<std::byte> main_before = rig.main.contents();
  const std::vector<std::byte> spare_before = rig.spare.contents();
  std::mt19937_64 coin(3);
  for (std::uint64_t cut = 0, finished = 0; finished < 3; ++cut) {
    rig.main.set_hook({});
    rig.spare.set_hook({});
    rig.main.poke({0}, main_before);
    rig.spare.poke({0}, spare_before);
    rig.start();
    std::atomic<std::uint64_t> steps{0};
    rig.spare.set_hook([&steps, cut](const sim::Request& request) -> io::IoStatus {
      const bool counts = request.kind != sim::Request::Kind::read;
      return {(counts ? steps++ : steps.load()) >= cut ? ENODEV : 0};
    });
    std::map<std::uint64_t, bool> acknowledged;
    const auto write = [&](std::uint64_t at) { acknowledged[at] = rig.write(at, 8, 7, true) == 0; };
    write(kFirstBad);
    write(kFirstBad + 8);
    const bool grown = rig.engine->grow_spare(kNewSize).has_value();
    write(kFirstBad + 16);
    write(kFirstBad + 24);
    EXPECT_TRUE(grown || !acknowledged[kFirstBad + 24]) << "there was no room";
    finished = steps < cut ? finished + 1 : 0;
    rig.stop();
    rig.spare.set_hook({});
    const std::uint64_t kept = cut % 3;
    rig.spare.power_cut([&](const sim::Request&, Sector) {
      return kept == 1 || (kept == 2 && (coin() & 1U) != 0);
    });
    SCOPED_TRACE(testing::Message() << "cut " << cut);
    const SectorCount size = recorded_size();
    ASSERT_TRUE(size == kNewSize || (size == kOldSize && !grown));
    rig.start();
    ASSERT_NE(rig.engine, nullptr);
    for (const auto& [at, done] : acknowledged) {
      if (!done) continue;
      ASSERT_EQ(rig.read(at, 8), 7) << at;
    }
    rig.stop();
  }
}

}  // namespace
}  // namespace dmremap::remap
