// SPDX-License-Identifier: GPL-2.0-or-later
// Two spares, which no set has yet: each place goes to its own, and what is meant for all reaches
// both.
#include "remap/device/spare_pool.hpp"

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::Extent;
using format::State;

constexpr SpareIndex kSecond{1};

class TwoSpares : public ::testing::Test {
 protected:
  [[nodiscard]] SparePool pool(const table::Table& table = {}) {
    std::vector<SpareParts> parts;
    for (sim::SimDevice* device : {&first, &second}) {
      const SpareIndex index{static_cast<std::uint8_t>(parts.size())};
      auto allocator = table::Allocator::of(index, kSpareSize, format::reserved_ranges(kSpareSize),
                                            table, SectorCount{1});
      parts.push_back({device, kSpareSize, std::move(*allocator)});
    }
    return {std::move(parts), 1'000'000'000, system_scheduling()};
  }
  static int byte_at(const sim::SimDevice& device, Sector sector) {
    return std::to_integer<int>(device.contents()[sector.byte_offset()]);
  }
  static void fail_flushes(sim::SimDevice& device, int error) {
    device.set_hook([error](const sim::Request& request) -> io::IoStatus {
      return {request.kind == sim::Request::Kind::flush ? error : 0};
    });
  }

  sim::SimDevice first{{kSpareSize, 512, 4096}, "first"};
  sim::SimDevice second{{kSpareSize, 512, 4096}, "second"};
};

TEST_F(TwoSpares, AnAddressNamesThePlaceOnItsSpare) {
  SparePool spares = pool();
  const Sector sector{20'000};
  ASSERT_TRUE(spares.write({kFirstSpare, sector}, pattern(1, 3)).ok());
  ASSERT_TRUE(spares.write({kSecond, sector}, pattern(1, 4)).ok());
  EXPECT_EQ(byte_at(first, sector), 3);
  EXPECT_EQ(byte_at(second, sector), 4);
  std::vector<std::byte> out(kSectorBytes);
  ASSERT_TRUE(spares.read({kSecond, sector}, out).ok());
  EXPECT_EQ(out, pattern(1, 4));
}

TEST_F(TwoSpares, AFlushReachesBothAndTellsOfEither) {
  SparePool spares = pool();
  const SparePool::Marks before = spares.marks();
  ASSERT_TRUE(spares.write({kFirstSpare, {20'000}}, pattern(1, 3)).ok());
  ASSERT_TRUE(spares.write({kSecond, {20'000}}, pattern(1, 4)).ok());
  EXPECT_TRUE(spares.flush_since(before).ok());
  EXPECT_EQ(first.unflushed_writes() + second.unflushed_writes(), 0U);

  ASSERT_TRUE(spares.write({kSecond, {20'008}}, pattern(1, 4)).ok());
  fail_flushes(first, EIO);
  EXPECT_EQ(spares.flush_since(before).error, EIO);
  EXPECT_EQ(second.unflushed_writes(), 0U) << "whatever became of the first";
  first.set_hook({});
  EXPECT_EQ(spares.flush_since(before).error, EIO) << "it failed since the mark";
  EXPECT_TRUE(spares.flush_since(spares.marks()).ok());
}

TEST_F(TwoSpares, OneThatIsAwaySpoilsTheFlushesOfNoOther) {
  SparePool spares = pool();
  const SparePool::Marks before = spares.marks();
  ASSERT_TRUE(spares.write({kSecond, {20'000}}, pattern(1, 4)).ok());
  second.set_hook([](const sim::Request&) -> io::IoStatus { return {ENODEV}; });
  EXPECT_EQ(spares.write({kSecond, {20'001}}, pattern(1, 4)).error, ENODEV);
  second.set_hook({});
  EXPECT_TRUE(spares.at(kFirstSpare).flush_since(before[0]).ok());
  EXPECT_FALSE(spares.at(kSecond).flush_since(before[1]).ok()) << "its cache may be lost";
  EXPECT_EQ(spares.at(kFirstSpare).trouble.signs(), 0U);
  EXPECT_GT(spares.at(kSecond).trouble.signs(), 0U);
}

TEST_F(TwoSpares, TheTroubleOfOneIsTheTroubleOfThePool) {
  SparePool spares = pool();
  EXPECT_EQ(spares.found().first, SpareState::answers);
  spares.at(kSecond).trouble.set(SpareState::refuses, "worn out");
  EXPECT_EQ(spares.found(), (std::pair{SpareState::refuses, std::string("worn out")}));
}

TEST_F(TwoSpares, APlaceIsLookedForOnTheNextOneWhenTheFirstIsFull) {
  SparePool spares = pool();
  EXPECT_EQ(spares.capacity(),
            spares.at(kFirstSpare).allocator.capacity() + spares.at(kSecond).allocator.capacity());
  std::vector<SpareRange> taken;
  while (const auto run = spares.allocate({4096})) {
    EXPECT_TRUE(taken.empty() || run->first.index >= taken.back().first.index);
    taken.push_back(*run);
  }
  EXPECT_EQ(taken.front().first.index, kFirstSpare);
  EXPECT_EQ(taken.back().first.index, kSecond);
  EXPECT_EQ(spares.available(), SectorCount{0});
  spares.give_back(taken.front());
  EXPECT_EQ(spares.at(kFirstSpare).allocator.available(), taken.front().count);
  EXPECT_EQ(spares.at(kSecond).allocator.available(), SectorCount{0});
}

// The engine over both; the metadata of a set cannot say so yet.
TEST_F(TwoSpares, AnEngineServesEachSectorFromTheSpareThatHasIt) {
  Rig rig;
  second.poke({20'000}, pattern(8, 5));
  rig.spare.poke({20'000}, pattern(8, 4));
  rig.content.extents = {Extent(State::remapped, {{64}, {8}}, {kFirstSpare, {20'000}}),
                         Extent(State::remapped, {{72}, {8}}, {kSecond, {20'000}})};
  FakeStore store;
  EngineParts parts;
  parts.main = &rig.main;
  parts.spares = {&rig.spare, &second};
  parts.store = &store;
  parts.clock = &system_clock();
  auto engine = Engine::start(parts, rig.content);
  ASSERT_TRUE(engine) << engine.error().message();
  std::vector<std::byte> out(16 * kSectorBytes);
  ASSERT_TRUE((*engine)->read({64}, out).ok());
  EXPECT_EQ(out[0], std::byte{4});
  EXPECT_EQ(out[8 * kSectorBytes], std::byte{5});
  ASSERT_TRUE((*engine)->write({70}, pattern(4, 9), true).ok());
  EXPECT_EQ(byte_at(rig.spare, {20'006}), 9);
  EXPECT_EQ(byte_at(second, {20'001}), 9);
  EXPECT_EQ(second.unflushed_writes(), 0U) << "FUA";
  ASSERT_TRUE((*engine)->write({72}, pattern(1, 8), false).ok());
  ASSERT_TRUE((*engine)->flush().ok());
  EXPECT_EQ(second.unflushed_writes(), 0U);
  (*engine)->stop();
}

TEST(EngineSpares, ATableThatNamesASpareThatIsNotThereIsRefused) {
  Rig rig;
  rig.content.extents = {Extent(State::remapped, {{64}, {8}}, {kSecond, {20'000}})};
  EngineParts parts;
  parts.main = &rig.main;
  parts.spares = {&rig.spare};
  parts.clock = &system_clock();
  const auto engine = Engine::start(parts, rig.content);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::metadata_doubtful);
}

}  // namespace
}  // namespace dmremap::remap
