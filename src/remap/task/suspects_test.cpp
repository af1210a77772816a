// SPDX-License-Identifier: GPL-2.0-or-later
// Slow sectors, found while the engine serves: a simulated disk, whose time costs nothing.
#include "remap/task/suspects.hpp"

#include <cerrno>
#include <functional>

#include <gtest/gtest.h>

#include "rig/engine_rig.hpp"
#include "sim/sim_disk.hpp"

namespace dmremap::remap {
namespace {

using format::State;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr io::Geometry kMain{{8'192}, 512, 4096};
constexpr SectorRange kSlowBlock{{1'024}, {8}};
// Long enough for a place to be measured, and shorter than to the next look at what is listed.
constexpr seconds kUntilMeasured{30};

class SlowDisk {
 public:
  SlowDisk() : world_(7), main(world_, kMain, "main"), spare_(world_, {{40'000}, 512, 4096}) {
    main.policy().slow_tail = 0;
    content.identity.main.size = kMain.size;
    content.identity.spare.size = SectorCount{40'000};
    content.configuration.lost_recheck_s = 3'600;
  }

  void run(const std::function<void()>& body) {
    world_.run([&] {
      EngineParts parts;
      parts.main = &main;
      parts.spares = {&spare_};
      parts.store = &store_;
      parts.observer = &events_;
      parts.clock = &world_;
      parts.scheduling = &world_;
      auto started = Engine::start(parts, content);
      ASSERT_TRUE(started) << started.error().message();
      engine = std::move(*started);
      body();
      engine->stop();
      engine.reset();
    });
  }

  std::size_t slow_reads(SectorRange range, std::chrono::nanoseconds delay) {
    sim::FaultRule rule;
    rule.kind = sim::FaultKind::slow;
    rule.range = range;
    rule.delay = delay;
    rule.writes = false;
    return main.faults().add(rule);
  }
  int read(SectorRange range) {
    AlignedBuffer buffer(range.count.bytes());
    return engine->read(range.first, buffer.span()).error;
  }
  void wait(std::chrono::nanoseconds time) { world_.sleep(time); }
  [[nodiscard]] std::vector<SectorRange> in_state(State state) const {
    std::vector<SectorRange> out;
    for (const format::Extent& extent : engine->extents()) {
      if (extent.state() == state) out.push_back(extent.main());
    }
    return out;
  }

 private:
  sim::World world_;

 public:
  sim::SimDisk main;
  format::Content content;
  std::unique_ptr<Engine> engine;

 private:
  sim::SimDisk spare_;
  FakeStore store_;
  EventList events_;
};

TEST(Suspects, ABlockThatReadsFarSlowerThanItsNeighboursIsListed) {
  SlowDisk disk;
  disk.run([&] {
    disk.slow_reads(kSlowBlock, seconds(3));
    EXPECT_EQ(disk.read({{1'000}, {64}}), 0);
    EXPECT_TRUE(disk.in_state(State::suspect).empty()) << "not before it was measured";
    disk.wait(kUntilMeasured);
    EXPECT_EQ(disk.in_state(State::suspect), std::vector{kSlowBlock});
    EXPECT_EQ(disk.engine->extents().front().cause(), ETIME);
    EXPECT_EQ(disk.read(kSlowBlock), 0) << "main still serves it";
  });
}

TEST(Suspects, AScanFindsWhatMayBeSlowAndMeasuringItLaterListsIt) {
  SlowDisk disk;
  disk.run([&] {
    disk.slow_reads(kSlowBlock, milliseconds(400));  // too short to be seen by a look
    const ContinueCheck go_on = [] { return true; };
    const auto report = disk.engine->scan({{960}, {256}}, go_on);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->long_reads, (std::vector<SectorRange>{{{960}, {256}}}));
    EXPECT_TRUE(disk.in_state(State::suspect).empty()) << "not before it was measured";
    const auto slow = disk.engine->measure_slow(report->long_reads.front(), go_on);
    ASSERT_TRUE(slow);
    EXPECT_EQ(*slow, kSlowBlock.count);
    EXPECT_EQ(disk.engine->measure_slow(report->long_reads.front(), go_on), SectorCount{0})
        << "what is listed is no news";
    EXPECT_EQ(disk.in_state(State::suspect), std::vector{kSlowBlock});
  });
}

TEST(Suspects, AReadThatWasSlowOnceIsNotHeldAgainstItsSectors) {
  SlowDisk disk;
  disk.run([&] {
    const std::size_t rule = disk.slow_reads(kSlowBlock, seconds(3));
    EXPECT_EQ(disk.read(kSlowBlock), 0);
    disk.main.faults().remove(rule);
    disk.wait(kUntilMeasured);
    EXPECT_TRUE(disk.engine->extents().empty());
  });
}

TEST(Suspects, ADriveThatIsSlowAsAWholeHasNoSuspects) {
  SlowDisk disk;
  disk.run([&] {
    disk.slow_reads({{0}, kMain.size}, milliseconds(1'500));
    EXPECT_EQ(disk.read({{1'000}, {64}}), 0);
    disk.wait(seconds(120));
    EXPECT_TRUE(disk.engine->extents().empty());
  });
}

TEST(Suspects, ASuspectThatIsSlowAgainMovesToTheSpareWhileItCanBeRead) {
  SlowDisk disk;
  disk.content.configuration.lost_recheck_s = 60;
  disk.run([&] {
    disk.slow_reads(kSlowBlock, seconds(3));
    EXPECT_EQ(disk.read(kSlowBlock), 0);
    disk.wait(kUntilMeasured);
    ASSERT_EQ(disk.in_state(State::suspect), std::vector{kSlowBlock});
    disk.wait(seconds(60));
    EXPECT_EQ(disk.in_state(State::remapped), std::vector{kSlowBlock});
    EXPECT_EQ(disk.read(kSlowBlock), 0);
  });
}

TEST(Suspects, ASuspectThatReadsWellAgainIsGoodAndOneThatFailsIsLost) {
  SlowDisk disk;
  disk.content.configuration.lost_recheck_s = 60;
  disk.run([&] {
    ASSERT_TRUE(disk.engine->mark_known_bad({{}, {{{64}, {8}}, {{512}, {3}}}}, false));
    disk.main.spoil({{512}, {1}}, ENODATA);
    // Once to find what fails, once more for its neighbours.
    disk.wait(seconds(140));
    EXPECT_TRUE(disk.in_state(State::suspect).empty());
    EXPECT_EQ(disk.in_state(State::lost), (std::vector<SectorRange>{{{512}, {1}}}));
    EXPECT_EQ(disk.engine->extents().size(), 1U);
  });
}

TEST(Suspects, Promise1_AWriteWhileASuspectMovesIsNotOvertaken) {
  SlowDisk disk;
  disk.content.configuration.lost_recheck_s = 60;
  disk.run([&] {
    ASSERT_TRUE(disk.engine->mark_known_bad({{}, {kSlowBlock}}, false));
    disk.slow_reads(kSlowBlock, seconds(3));
    std::vector<std::byte> newer;
    // Whenever it comes: before, during and after the reads that the move needs.
    for (int i = 0; i < 40; ++i) {
      disk.wait(milliseconds(1'750));
      newer = pattern(kSlowBlock.count.value, i);
      ASSERT_TRUE(disk.engine->write(kSlowBlock.first, newer, false).ok());
    }
    const auto is_newer = [&] {
      AlignedBuffer buffer(kSlowBlock.count.bytes());
      return disk.engine->read(kSlowBlock.first, buffer.span()).ok() &&
             std::ranges::equal(buffer.span(), newer);
    };
    EXPECT_TRUE(is_newer());
    EXPECT_TRUE(disk.in_state(State::remapped).empty()) << "somebody wrote all the time";
    disk.wait(seconds(70));
    EXPECT_EQ(disk.in_state(State::remapped), std::vector{kSlowBlock});
    EXPECT_TRUE(is_newer());
  });
}

}  // namespace
}  // namespace dmremap::remap
