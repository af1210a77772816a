// SPDX-License-Identifier: GPL-2.0-or-later
// Lost sectors get their data from an image; whatever is not lost any more keeps what it has.
#include "remap/task/backfill.hpp"

#include <set>
#include <thread>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::EventKind;
using format::State;
using sim::Request;
using Ranges = std::vector<SectorRange>;

class BackfillTest : public ::testing::Test {
 protected:
  // Sectors 100 to 115 are lost.
  void SetUp() override { start(); }
  void start() {
    rig.start();
    lose(100, 16);
  }
  void lose(std::uint64_t first, std::uint64_t count) {
    rig.main.fail_reads({{first}, {count}}, EIO);
    ASSERT_LT(rig.read(first, count), 0);
    ASSERT_EQ(rig.read(first), -EIO);
  }
  Result<BackfillReport> try_fill(const Ranges& ranges, int with, bool gone_too = false) {
    std::uint64_t sectors = 0;
    for (const SectorRange& range : ranges) sectors += range.count.value;
    const auto data = pattern(sectors, with);
    return rig.engine->backfill({ranges, data, as_of, gone_too});
  }
  BackfillReport fill(const Ranges& ranges, int with, bool gone_too = false) {
    as_of = rig.store ? rig.store->current().sequence : as_of;
    const auto done = try_fill(ranges, with, gone_too);
    EXPECT_TRUE(done) << done.error().message();
    return done.value_or(BackfillReport{});
  }

  Rig rig{{kMainSize, 512, 4096}, {32'768}};
  std::uint64_t as_of = 0;
};

TEST_F(BackfillTest, Promise2_LostSectorsReadWhatTheImageHas) {
  EXPECT_EQ(fill({{{100}, {16}}}, 5), (BackfillReport{{16}, {0}, {0}}));
  EXPECT_EQ(rig.read(100, 16), 5);
  EXPECT_EQ(rig.table().lost, 0U);
  EXPECT_EQ(rig.in_state(State::remapped), (Ranges{{{100}, {16}}}));
  EXPECT_EQ(rig.on_main(100), 1) << "nothing is written to main";
  EXPECT_EQ(rig.events.of(EventKind::recovered).back().text, "filled from an image");
  rig.restart();
  EXPECT_EQ(rig.read(100, 16), 5) << "after a restart";
}

TEST_F(BackfillTest, Promise2_WhatTheImageLacksStaysLost) {
  EXPECT_EQ(fill({{{102}, {2}}, {{110}, {1}}}, 5), (BackfillReport{{3}, {0}, {0}}));
  EXPECT_EQ(rig.read(102, 2), 5);
  EXPECT_EQ(rig.read(110), 5);
  EXPECT_EQ(rig.read(101), -EIO);
  EXPECT_EQ(rig.in_state(State::lost), (Ranges{{{100}, {2}}, {{104}, {6}}, {{111}, {5}}}));
}

TEST_F(BackfillTest, Promise1_OnlyLostSectorsAreTouched) {
  ASSERT_EQ(rig.write(104, 4, 7), 0);
  ASSERT_TRUE(rig.engine->relocate({{120}, {4}}));
  ASSERT_TRUE(rig.engine->mark_known_bad({{}, {{{124}, {4}}}}, false));
  EXPECT_EQ(fill({{{90}, {50}}}, 5), (BackfillReport{{12}, {0}, {38}}));
  EXPECT_EQ(rig.read(104, 4), 7) << "written since it was lost";
  EXPECT_EQ(rig.read(90, 10), 1) << "good";
  EXPECT_EQ(rig.read(120, 8), 1) << "remapped, suspect";
  EXPECT_EQ(rig.in_state(State::suspect), (Ranges{{{124}, {4}}}));
  EXPECT_EQ(rig.read(100, 4), 5);
}

TEST_F(BackfillTest, Promise1_GoneSectorsAreFilledOnlyWhenAsked) {
  rig.make_gone(200);
  EXPECT_EQ(fill({{{200}, {1}}}, 5), (BackfillReport{{0}, {1}, {0}}));
  EXPECT_EQ(rig.read(200), -EIO);
  EXPECT_EQ(fill({{{200}, {1}}}, 5, true), (BackfillReport{{1}, {0}, {0}}));
  EXPECT_EQ(rig.read(200), 5);
}

TEST_F(BackfillTest, Promise1_WhatWasWrittenAndLostAgainIsNotInTheImage) {
  as_of = rig.store->current().sequence;  // the image is read
  ASSERT_EQ(rig.write(104, 4, 7), 0);
  ASSERT_TRUE(rig.engine->unremap({{104}, {4}})) << "main does not read it back: it stays";
  rig.main.clear_faults();
  ASSERT_EQ(rig.engine->unremap({{104}, {4}})->returned.value, 4U);
  lose(104, 4);
  const auto done = try_fill({{{100}, {16}}}, 5);
  ASSERT_TRUE(done);
  EXPECT_EQ(*done, (BackfillReport{{12}, {0}, {4}}));
  EXPECT_EQ(rig.read(104), -EIO);
  EXPECT_EQ(rig.read(100), 5);
}

TEST_F(BackfillTest, Promise1_AWriteInFlightIsWaitedForAndWins) {
  std::atomic<bool> in_write{false};
  std::atomic<bool> let_go{false};
  rig.spare.set_hook([&](const Request& request) -> io::IoStatus {
    if (request.kind == Request::Kind::write && !in_write.exchange(true)) {
      while (!let_go) std::this_thread::yield();
    }
    return {};
  });
  as_of = rig.store->current().sequence;
  std::thread writer([&] { EXPECT_EQ(rig.write(100, 8, 7), 0); });
  while (!in_write) std::this_thread::yield();
  std::atomic<bool> filled{false};
  std::thread filler([&] {
    const auto done = try_fill({{{100}, {16}}}, 5);
    ASSERT_TRUE(done);
    EXPECT_EQ(*done, (BackfillReport{{8}, {0}, {8}}));
    filled = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(filled);
  let_go = true;
  writer.join();
  filler.join();
  rig.spare.set_hook({});
  EXPECT_EQ(rig.read(100, 8), 7);
  EXPECT_EQ(rig.read(108, 8), 5);
}

TEST_F(BackfillTest, Promise1_AWriteThatComesMeanwhileComesAfter) {
  std::atomic<bool> in_fill{false};
  std::atomic<bool> let_go{false};
  rig.spare.set_hook([&](const Request& request) -> io::IoStatus {
    if (request.kind == Request::Kind::write && !in_fill.exchange(true)) {
      while (!let_go) std::this_thread::yield();
    }
    return {};
  });
  std::thread filler([&] { fill({{{100}, {16}}}, 5); });
  while (!in_fill) std::this_thread::yield();
  std::atomic<bool> written{false};
  std::thread writer([&] {
    EXPECT_EQ(rig.write(100, 8, 7), 0);
    written = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(written);
  let_go = true;
  filler.join();
  writer.join();
  rig.spare.set_hook({});
  EXPECT_EQ(rig.read(100, 8), 7);
  EXPECT_EQ(rig.read(108, 8), 5);
}

TEST_F(BackfillTest, Promise2_AFullSpareFillsNothing) {
  const std::uint64_t room = rig.table().spare_free;
  ASSERT_TRUE(rig.engine->relocate({{1000}, {room - 8}}));
  as_of = rig.store->current().sequence;
  const auto done = try_fill({{{100}, {16}}}, 5);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::spare_full);
  EXPECT_EQ(rig.read(100), -EIO);
  EXPECT_EQ(rig.table().lost, 16U);
  EXPECT_EQ(fill({{{100}, {8}}}, 5).filled.value, 8U) << "what was allocated is free again";
}

TEST_F(BackfillTest, Promise2_ABadSpareSectorIsRetiredAndTheNextTaken) {
  ASSERT_TRUE(rig.engine->relocate({{200}, {1}}));
  const Sector next{rig.spare_of(200).first.value + 1};
  rig.spare.fail_writes({next, {1}}, EIO);
  EXPECT_EQ(fill({{{100}, {16}}}, 5).filled.value, 16U);
  EXPECT_EQ(rig.read(100, 16), 5);
  EXPECT_EQ(rig.table().spare_retired, 1U);
}

TEST_F(BackfillTest, Promise3_NothingIsAcknowledgedWithoutACommit) {
  rig.stop();
  rig.main.clear_faults();
  FakeStore store;
  rig.start_with(&store);
  lose(400, 8);
  store.fail_with = ErrorCode::metadata_commit;
  as_of = store.name.sequence;
  EXPECT_EQ(try_fill({{{400}, {8}}}, 5).error().code, ErrorCode::metadata_commit);
  EXPECT_EQ(rig.read(400), -EIO);
  rig.stop();
}

TEST_F(BackfillTest, WhatIsNoListOfWholeBlocksIsRefused) {
  const auto data = pattern(8, 5);
  for (const Ranges& wrong :
       {Ranges{{{100}, {4}}}, Ranges{{{108}, {4}}, {{100}, {4}}},
        Ranges{{{100}, {8}}, {{104}, {0}}}, Ranges{{{kMainSize.value}, {8}}}}) {
    const auto done = rig.engine->backfill({wrong, data, ~0ULL, false});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::usage);
  }
  EXPECT_EQ(rig.table().lost, 16U);
}

TEST_F(BackfillTest, ReadOnlyAndTrippedSetsRefuse) {
  rig.main.set_hook([](const Request&) -> io::IoStatus { return {ENODEV}; });
  EXPECT_LT(rig.read(0), 0);
  EXPECT_EQ(try_fill({{{100}, {16}}}, 5).error().code, ErrorCode::tripped);
  rig.main.set_hook({});
  rig.stop();
  rig.start_read_only();
  EXPECT_EQ(try_fill({{{100}, {16}}}, 5).error().code, ErrorCode::read_only);
  EXPECT_EQ(rig.read(100), -EIO);
}

// Cuts the power before each write and flush of either device while sectors are filled.
TEST(BackfillCut, Promise9_SectorsReadTheImageOrAnError) {
  std::set<int> seen;
  for (std::uint64_t cut_at = 0;; ++cut_at) {
    Rig rig({{4096}, 512, 4096}, {32'768});
    rig.start();
    ASSERT_TRUE(rig.engine->mark_known_bad({{{{100}, {8}}, {{300}, {8}}}, {}}, false));
    const std::uint64_t as_of = rig.store->current().sequence;
    PowerCut cut(rig, cut_at);
    const auto data = pattern(16, 5);
    const bool done =
        rig.engine->backfill({{{{100}, {8}}, {{300}, {8}}}, data, as_of, false}).has_value();
    const bool whole = cut.is_ahead();
    ASSERT_NO_FATAL_FAILURE(cut.restart());
    const int now = rig.read(100, 8);
    seen.insert(now);
    ASSERT_TRUE(now == 5 || (now == -EIO && !done)) << now << " after step " << cut_at;
    ASSERT_EQ(rig.read(300, 8), now) << "all or nothing, after step " << cut_at;
    if (whole) break;
  }
  EXPECT_EQ(seen, (std::set<int>{-EIO, 5}));
}

}  // namespace
}  // namespace dmremap::remap
