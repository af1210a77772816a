// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/copying.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>

#include <gtest/gtest.h>

#include "sim/sim_device.hpp"

namespace dmremap::transfer {
namespace {

using Ranges = std::vector<SectorRange>;
using Status = CopyMap::Status;
using sim::Request;

constexpr SectorCount kSize{100'000};  // three batches and a bit

std::vector<std::byte> fill(std::uint64_t sectors, int value) {
  return std::vector<std::byte>(sectors * kSectorBytes, static_cast<std::byte>(value));
}

// Stands still, but for what a test lets pass.
class ManualClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return ns; }
  std::uint64_t monotonic_ns() override { return ns; }
  std::uint64_t ns = 1;
};

class CopyingTest : public ::testing::Test, public CopyObserver {
 protected:
  CopyingTest() {
    for (std::uint64_t s = 0; s < kSize.value; s += 100) {
      source.poke({s}, fill(100, static_cast<int>(s / 100 % 250) + 1));
    }
    target.poke({0}, fill(kSize.value, 0xee));
  }
  bool go_on(const CopyMap& /*map*/) override { return batches_left-- > 1; }
  Result<Ranges> lost_now() override { return lost; }

  Result<void> copy() { return copy_verified(source, target, {1}, lost, map, *this, clock); }
  [[nodiscard]] bool same(std::uint64_t first, std::uint64_t count) const {
    const auto a = source.contents();
    const auto b = target.contents();
    return std::ranges::equal(std::span(a).subspan(first * kSectorBytes, count * kSectorBytes),
                              std::span(b).subspan(first * kSectorBytes, count * kSectorBytes));
  }
  [[nodiscard]] bool untouched(std::uint64_t first, std::uint64_t count) const {
    const auto bytes = target.contents();
    return std::ranges::all_of(std::span(bytes).subspan(first * kSectorBytes, count * kSectorBytes),
                               [](std::byte b) { return b == std::byte{0xee}; });
  }

  sim::SimDevice source{{kSize, 512, 4096}, "source"};
  sim::SimDevice target{{kSize, 512, 4096}, "target"};
  CopyMap map{kSize};
  ManualClock clock;
  Ranges lost;
  int batches_left = 1000;
};

TEST_F(CopyingTest, AllOfItIsCopied) {
  ASSERT_TRUE(copy());
  EXPECT_TRUE(same(0, kSize.value));
  EXPECT_EQ(map.count(Status::finished), kSize);
}

TEST_F(CopyingTest, LostSectorsAreNeitherReadNorWritten) {
  lost = {{{40}, {8}}, {{32'760}, {16}}, {{99'999}, {1}}};
  source.set_hook([&](const Request& request) -> io::IoStatus {
    for (const SectorRange& range : lost) EXPECT_FALSE(range.overlaps(request.range));
    return {};
  });
  ASSERT_TRUE(copy());
  EXPECT_EQ(map.in(Status::bad), lost);
  EXPECT_EQ(map.count(Status::finished).value, kSize.value - 25);
  for (const SectorRange& range : lost) {
    EXPECT_TRUE(untouched(range.first.value, range.count.value));
  }
  EXPECT_TRUE(same(0, 40));
  EXPECT_TRUE(same(48, 32'712));
}

TEST_F(CopyingTest, ANewBadSectorIsNarrowedDown) {
  source.fail_reads({{5000}, {3}}, EIO);
  source.set_hook([&](const Request& request) -> io::IoStatus {
    // The set finds out.
    if (request.range.overlaps({{5000}, {3}})) lost = {{{5000}, {3}}};
    return {};
  });
  ASSERT_TRUE(copy());
  EXPECT_EQ(map.in(Status::bad), lost);
  EXPECT_EQ(map.count(Status::finished).value, kSize.value - 3);
  EXPECT_TRUE(untouched(5000, 3));
}

TEST_F(CopyingTest, WhatOnlyTimesOutIsTriedAgain) {
  source.fail_reads({{5000}, {3}}, ETIMEDOUT);
  ASSERT_TRUE(copy());
  EXPECT_EQ(map.in(Status::non_trimmed), (Ranges{{{5000}, {3}}}));
  source.clear_faults();
  map = resume_map(map.print({}), "m", kSize).value();
  std::uint64_t written = 0;
  target.set_hook([&](const Request& request) -> io::IoStatus {
    if (request.kind == Request::Kind::write) written += request.range.count.value;
    return {};
  });
  ASSERT_TRUE(copy());
  EXPECT_EQ(written, 3U) << "nothing else is written again";
  EXPECT_EQ(map.count(Status::finished), kSize);
}

TEST_F(CopyingTest, WhatIsNotOnTheTargetAnyMoreIsCopiedAgain) {
  ASSERT_TRUE(copy());
  map = resume_map(map.print({}), "m", kSize).value();
  EXPECT_EQ(map.count(Status::finished).value, 0U) << "nothing is trusted unseen";
  target.poke({40'000}, fill(1, 0));
  target.poke({99'999}, fill(1, 0));
  ASSERT_TRUE(copy());
  EXPECT_TRUE(same(0, kSize.value));
  EXPECT_EQ(map.count(Status::finished), kSize);
}

TEST_F(CopyingTest, WhatIsNotComparedYetStaysDoubtful) {
  ASSERT_TRUE(copy());
  map = resume_map(map.print({}), "m", kSize).value();
  batches_left = 1;
  ASSERT_TRUE(copy());
  EXPECT_EQ(map.in(Status::finished), (Ranges{{{0}, {32'768}}}));
  EXPECT_EQ(map.in(Status::non_scraped), (Ranges{{{32'768}, {kSize.value - 32'768}}}));
  map = resume_map(map.print({}), "m", kSize).value();
  EXPECT_EQ(map.count(Status::non_scraped), kSize) << "may be there: not to be written unseen";
}

TEST_F(CopyingTest, WhatWasCopiedBeforeItWasLostIsLeftAsItIs) {
  ASSERT_TRUE(copy());
  map = resume_map(map.print({}), "m", kSize).value();
  lost = {{{40}, {8}}};
  source.fail_reads(lost.front(), EIO);
  ASSERT_TRUE(copy());
  EXPECT_EQ(map.in(Status::bad), lost);
  EXPECT_TRUE(same(0, kSize.value));
}

TEST_F(CopyingTest, ATargetThatDropsWritesIsNoticed) {
  target.set_landing([](const Request& write) -> std::optional<Sector> {
    if (write.range.contains(Sector{40'000})) return std::nullopt;
    return write.range.first;
  });
  const auto done = copy();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::io);
  EXPECT_FALSE(map.in(Status::finished).empty());
  for (const SectorRange& range : map.in(Status::finished)) {
    EXPECT_TRUE(same(range.first.value, range.count.value));
    EXPECT_FALSE(range.contains(Sector{40'000}));
  }
}

TEST_F(CopyingTest, NothingIsFinishedBeforeItIsFlushed) {
  target.set_hook([](const Request& request) -> io::IoStatus {
    return {request.kind == Request::Kind::flush ? EIO : 0};
  });
  EXPECT_FALSE(copy());
  EXPECT_EQ(map.count(Status::finished).value, 0U);
}

TEST_F(CopyingTest, AnInterruptedCopyGoesOn) {
  batches_left = 2;
  ASSERT_TRUE(copy());
  EXPECT_EQ(map.in(Status::finished), (Ranges{{{0}, {65'536}}}));
  batches_left = 1000;
  ASSERT_TRUE(copy());
  EXPECT_TRUE(same(0, kSize.value));
}

// A disk of which nine tenths do not read.
class DeadDiskTest : public CopyingTest {
 protected:
  static constexpr SectorRange kDead{{5000}, {90'000}};

  DeadDiskTest() {
    batches_left = 1'000'000;
    source.set_hook([this](const Request& request) -> io::IoStatus {
      if (request.kind != Request::Kind::read || !request.range.overlaps(kDead)) return {};
      failed += 1;
      asked += request.range.intersect(kDead).count.value;
      return {EIO};
    });
  }
  void begin_pass(CopyPass pass, const CopyMap& now) override {
    passes.push_back(pass);
    finished_at.push_back(now.count(Status::finished).value);
    failed_at.push_back(failed);
  }

  std::uint64_t failed = 0;  // reads
  std::uint64_t asked = 0;   // sectors that do not read
  std::vector<CopyPass> passes;
  std::vector<std::uint64_t> finished_at;
  std::vector<std::uint64_t> failed_at;
};

TEST_F(DeadDiskTest, WhatReadsWellComesFirst) {
  ASSERT_TRUE(copy());
  EXPECT_EQ(map.count(Status::finished).value, kSize.value - kDead.count.value);
  EXPECT_EQ(map.in(Status::non_trimmed), (Ranges{kDead})) << "the set does not call it lost";
  EXPECT_TRUE(same(0, 5000));
  EXPECT_TRUE(same(95'000, 5000));
  EXPECT_TRUE(untouched(5000, 90'000));
  ASSERT_EQ(passes,
            (std::vector{CopyPass::forward, CopyPass::backward, CopyPass::rest, CopyPass::rest}));
  // Nearly all of the good tenth, before the disk was asked much of the dead ones.
  EXPECT_GT(finished_at.at(1), 7'000U);
  EXPECT_LT(failed_at.at(1), 100U);
  EXPECT_GT(finished_at.at(2), 9'000U);
  EXPECT_LT(failed_at.at(2), 700U);
}

TEST_F(DeadDiskTest, ACopyThatEndsAnywhereGoesOnAndItsMapIsTrue) {
  for (int round = 0; round < 60; ++round) {
    batches_left = 7;
    ASSERT_TRUE(copy());
    for (const SectorRange& range : map.in(Status::finished)) {
      EXPECT_TRUE(same(range.first.value, range.count.value));
      EXPECT_FALSE(range.overlaps(kDead));
    }
    const std::uint64_t failures = map.count(Status::non_trimmed).value;
    map = resume_map(map.print({}), "m", kSize).value();
    EXPECT_EQ(map.count(Status::non_trimmed).value, failures) << "not to be tried first";
  }
  batches_left = 1'000'000;
  ASSERT_TRUE(copy());
  EXPECT_EQ(map.count(Status::finished).value, 10'000U);
  EXPECT_TRUE(untouched(5000, 90'000));
}

TEST_F(DeadDiskTest, AMainThatIsGoneEndsTheCopySoon) {
  class Gone final : public CopyObserver {
   public:
    bool go_on(const CopyMap& /*map*/) override { return true; }
    Result<Ranges> lost_now() override { return fail(ErrorCode::tripped, "main is not there"); }
  };
  Gone observer;
  const auto done = copy_verified(source, target, {1}, lost, map, observer, clock);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::tripped);
  EXPECT_LE(failed, 20U);
}

TEST(CopyMap, NeighboursJoin) {
  CopyMap map({100});
  map.mark({{10}, {10}}, Status::finished);
  map.mark({{30}, {10}}, Status::finished);
  map.mark({{15}, {20}}, Status::finished);
  EXPECT_EQ(map.in(Status::finished), (Ranges{{{10}, {30}}}));
  map.mark({{12}, {2}}, Status::bad);
  EXPECT_EQ(map.in(Status::finished), (Ranges{{{10}, {2}}, {{14}, {26}}}));
  map.mark({{0}, {200}}, Status::finished);
  EXPECT_EQ(map.in(Status::finished), (Ranges{{{0}, {100}}}));
  map.mark({{100}, {5}}, Status::bad);
  EXPECT_EQ(map.count(Status::bad).value, 0U);
}

TEST(CopyMap, AMapfileTellsOfWhichStateItIs) {
  CopyMap map({100});
  map.mark({{0}, {50}}, Status::finished);
  map.mark({{60}, {1}}, Status::bad);
  CopyStamp stamp;
  stamp.set_uuid.bytes.fill(std::byte{0x5a});
  stamp.run.bytes.fill(std::byte{0x7b});
  stamp.writes = 12345;
  stamp.target = "0123456789abcdef";
  const std::string text = map.print(stamp);
  EXPECT_EQ(stamp_of_mapfile(text), stamp);
  const auto resumed = resume_map(text, "m", {100});
  ASSERT_TRUE(resumed);
  EXPECT_EQ(resumed->in(Status::non_scraped), (Ranges{{{0}, {50}}}));
  EXPECT_EQ(resumed->count(Status::untried).value, 50U) << "what was lost is looked at again";
  map.mark({{70}, {4}}, Status::non_trimmed);
  const auto failed = resume_map(map.print(stamp), "m", {100});
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->in(Status::non_trimmed), (Ranges{{{70}, {4}}})) << "and what failed, last";
  EXPECT_FALSE(resume_map(text, "m", {40}));
  EXPECT_FALSE(stamp_of_mapfile("# Mapfile. Created by GNU ddrescue\n0 + 1\n0 512 +\n"));
  EXPECT_FALSE(stamp_of_mapfile("# Mapfile. Created by dm-remap, copy of x y z\n"));
}

// Lets each read take 5 ms a MiB, and `slow` so many times as long.
void take_time(sim::SimDevice& source, ManualClock& clock, SectorRange slow, std::uint64_t factor,
               std::vector<SectorRange>& reads) {
  source.set_hook([&clock, slow, factor, &reads](const Request& request) -> io::IoStatus {
    const std::uint64_t usual_ns = request.range.count.value * 5'000'000 / 2048;
    clock.ns += request.range.overlaps(slow) ? factor * usual_ns : usual_ns;
    if (request.kind == Request::Kind::read) reads.push_back(request.range);
    return {};
  });
}

TEST_F(CopyingTest, WhatReadsSlowlyComesAfterWhatReadsWell) {
  const SectorRange slow{{40'960}, {20'480}};
  Ranges reads;
  take_time(source, clock, slow, 1000, reads);
  ASSERT_TRUE(copy());
  EXPECT_EQ(map.count(Status::finished), kSize) << "it is left for later, not left out";
  EXPECT_TRUE(same(0, kSize.value));
  const auto last_well = std::ranges::find_if(
      reads.rbegin(), reads.rend(), [&](SectorRange range) { return !range.overlaps(slow); });
  std::uint64_t slow_before = 0;
  for (auto read = last_well; read != reads.rend(); ++read) {
    if (read->overlaps(slow)) slow_before += read->count.value;
  }
  EXPECT_LT(slow_before, slow.count.value / 2) << "most of it is read when all else is safe";
}

TEST_F(CopyingTest, ADiskThatIsSlowAsAWholeIsReadInOrder) {
  Ranges reads;
  take_time(source, clock, {{0}, kSize}, 200, reads);  // 1 s for a MiB
  ASSERT_TRUE(copy());
  EXPECT_TRUE(std::ranges::is_sorted(reads, {}, &SectorRange::first));
}

TEST_F(CopyingTest, AMomentInWhichADiskIsBusyIsNotSlow) {
  Ranges reads;
  take_time(source, clock, {{40'960}, {20'480}}, 20, reads);  // 100 ms for a MiB
  ASSERT_TRUE(copy());
  EXPECT_TRUE(std::ranges::is_sorted(reads, {}, &SectorRange::first));
}

}  // namespace
}  // namespace dmremap::transfer
