// SPDX-License-Identifier: GPL-2.0-or-later
// Lists of known-bad sectors, taken over while the set serves.
#include "remap/task/marking.hpp"

#include <set>
#include <thread>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::EventKind;
using format::State;
using Ranges = std::vector<SectorRange>;
using sim::Request;

class Marking : public ::testing::Test {
 protected:
  void SetUp() override { rig.start(); }
  table::MarkReport mark(const table::KnownBad& list) {
    const auto done = rig.engine->mark_known_bad(list, false);
    EXPECT_TRUE(done) << done.error().message();
    return done.value_or(table::MarkReport{});
  }
  Rig rig;
};

TEST_F(Marking, Promise2_ListedSectorsFailAtOnceAndMainIsNotAsked) {
  EXPECT_EQ(mark({{{{100}, {8}}}, {}}), (table::MarkReport{{8}, {0}, {0}}));
  std::atomic<int> asked{0};
  rig.main.set_hook([&](const Request&) -> io::IoStatus {
    ++asked;
    return {};
  });
  EXPECT_EQ(rig.read(100, 8), -EIO);
  EXPECT_EQ(rig.read(96, 16), -EIO);
  EXPECT_EQ(rig.engine->write_zeroes({{100}, {8}}).error, EOPNOTSUPP);
  rig.main.set_hook({});
  EXPECT_EQ(rig.read(92, 8), 1) << "neighbours read on";
  EXPECT_EQ(rig.events.of(EventKind::lost).back().main, (SectorRange{{100}, {8}}));
  rig.restart();
  EXPECT_EQ(rig.read(100, 8), -EIO) << "after a restart";
}

TEST_F(Marking, AWriteHealsExactlyWhatItCovers) {
  mark({{{{100}, {8}}}, {}});
  EXPECT_EQ(rig.write(102, 2, 5), 0);
  EXPECT_EQ(rig.read(102, 2), 5);
  EXPECT_EQ(rig.read(101), -EIO);
  EXPECT_EQ(rig.in_state(State::lost), (Ranges{{{100}, {2}}, {{104}, {4}}}));
}

TEST_F(Marking, SuspectSectorsReadOn) {
  EXPECT_EQ(mark({{}, {{{100}, {8}}}}), (table::MarkReport{{0}, {8}, {0}}));
  EXPECT_EQ(rig.read(96, 16), 1);
  EXPECT_EQ(rig.table().suspect, 8U);
  rig.restart();
  EXPECT_EQ(rig.in_state(State::suspect), (Ranges{{{100}, {8}}}));
}

TEST_F(Marking, SuspectMayBecomeLostAndNothingElseChanges) {
  ASSERT_TRUE(rig.engine->relocate({{100}, {8}}));
  rig.make_gone(110);
  mark({{{{120}, {4}}}, {{{130}, {4}}}});
  const table::KnownBad everything{{{{96}, {48}}}, {}};
  EXPECT_EQ(mark(everything), (table::MarkReport{{48 - 8 - 1 - 4}, {0}, {8 + 1 + 4}}));
  EXPECT_EQ(rig.in_state(State::remapped), (Ranges{{{100}, {8}}}));
  EXPECT_EQ(rig.in_state(State::gone), (Ranges{{{110}, {1}}}));
  EXPECT_EQ(rig.table().suspect, 0U);
  EXPECT_EQ(rig.read(100, 8), 1);
  EXPECT_EQ(mark({{}, everything.lost}), (table::MarkReport{{0}, {0}, {48}}))
      << "lost is never taken back";
}

TEST_F(Marking, TheSameListTwiceIsOneCommit) {
  const table::KnownBad list{{{{100}, {8}}, {{200}, {8}}}, {{{300}, {8}}}};
  const std::uint64_t before = rig.store->current().sequence;
  mark(list);
  EXPECT_EQ(rig.store->current().sequence, before + 1) << "one commit for the whole list";
  EXPECT_EQ(mark(list), (table::MarkReport{{0}, {0}, {24}}));
  EXPECT_EQ(rig.store->current().sequence, before + 1);
  EXPECT_EQ(mark({}), table::MarkReport{});
}

TEST_F(Marking, ADryRunChangesNothing) {
  const auto would = rig.engine->mark_known_bad({{{{100}, {8}}}, {{{104}, {8}}}}, true);
  ASSERT_TRUE(would);
  EXPECT_EQ(*would, (table::MarkReport{{8}, {4}, {0}}));
  EXPECT_EQ(rig.table().lost, 0U);
  EXPECT_EQ(rig.read(100, 8), 1);
}

TEST_F(Marking, OneSectorBeyondMainChangesNothing) {
  const auto done =
      rig.engine->mark_known_bad({{{{100}, {8}}, {{kMainSize.value - 1}, {2}}}, {}}, false);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::usage);
  EXPECT_EQ(rig.table().lost, 0U);
}

TEST_F(Marking, ATableWithoutRoomChangesNothing) {
  rig.stop();
  FakeStore store;
  rig.start_with(&store);
  store.capacity = 3;
  table::KnownBad list;
  for (std::uint64_t i = 0; i < 4; ++i) list.lost.push_back({{i * 100}, {8}});
  const auto done = rig.engine->mark_known_bad(list, false);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::metadata_full);
  EXPECT_EQ(rig.table().lost, 0U);
  EXPECT_EQ(rig.read(0, 8), 1);
  list.lost.pop_back();
  EXPECT_EQ(mark(list).lost.value, 24U);
  rig.stop();
}

TEST_F(Marking, ReadOnlyAndTrippedSetsRefuse) {
  rig.main.set_hook([](const Request&) -> io::IoStatus { return {ENODEV}; });
  EXPECT_LT(rig.read(0), 0);
  EXPECT_EQ(rig.engine->mark_known_bad({{{{0}, {1}}}, {}}, false).error().code, ErrorCode::tripped);
  rig.main.set_hook({});
  rig.stop();
  rig.start_read_only();
  EXPECT_EQ(rig.engine->mark_known_bad({{{{0}, {1}}}, {}}, false).error().code,
            ErrorCode::read_only);
}

TEST_F(Marking, AWriteInFlightIsWaitedFor) {
  std::atomic<bool> in_write{false};
  std::atomic<bool> let_go{false};
  rig.main.set_hook([&](const Request& request) -> io::IoStatus {
    if (request.kind == Request::Kind::write) {
      in_write = true;
      while (!let_go) std::this_thread::yield();
    }
    return {};
  });
  std::thread writer([&] { EXPECT_EQ(rig.write(100, 8, 5), 0); });
  while (!in_write) std::this_thread::yield();
  std::atomic<bool> marked{false};
  std::thread marker([&] {
    mark({{{{104}, {8}}}, {}});
    marked = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(marked);
  let_go = true;
  writer.join();
  marker.join();
  EXPECT_EQ(rig.read(100, 4), 5);
  EXPECT_EQ(rig.read(104, 8), -EIO);
}

TEST_F(Marking, ALongListLeavesTheLogReadable) {
  table::KnownBad list;
  for (std::uint64_t i = 0; i < 1000; ++i) list.lost.push_back({{i * 16}, {8}});
  EXPECT_EQ(mark(list).lost.value, 8000U);
  const auto told = rig.events.of(EventKind::lost);
  ASSERT_EQ(told.size(), 9U);
  EXPECT_EQ(told.back().text, "7936 sectors more, listed");
  EXPECT_TRUE(told.back().main.empty());
  EXPECT_LE(told.back().text.size(), format::kEventTextBytes);
}

TEST_F(Marking, AnAreaLongerThanAnEntryIsTakenWhole) {
  rig.stop();
  // Nothing of a disk of 20 GiB is kept in memory: only the table is looked at.
  const std::uint64_t length = 3 * format::kMaxExtentSectors;
  const auto fitted = table::fit_to_main({{{{8}, {length}}}, {}}, {{length + 16}, 512, 512});
  ASSERT_TRUE(fitted);
  EXPECT_EQ(table::count_marks(*fitted, table::Table()).lost.value, length);
}

// Cuts the power before each write and flush of either device while a list is taken over.
TEST(MarkingCut, Promise9_AListIsTakenOverWholeOrNotAtAll) {
  const table::KnownBad list{{{{100}, {8}}, {{200}, {16}}, {{2000}, {1}}}, {{{300}, {8}}}};
  std::set<std::uint64_t> seen;
  for (std::uint64_t cut_at = 0;; ++cut_at) {
    Rig rig({{4096}, 512, 4096}, {32'768});
    rig.start();
    PowerCut cut(rig, cut_at);
    const bool done = rig.engine->mark_known_bad(list, false).has_value();
    const bool whole = cut.is_ahead();
    ASSERT_NO_FATAL_FAILURE(cut.restart());
    const TableCounts table = rig.table();
    seen.insert(table.lost);
    ASSERT_TRUE(table.lost == 0 || table.lost == 25) << table.lost << " after step " << cut_at;
    ASSERT_EQ(table.suspect, table.lost == 0 ? 0U : 8U) << "after step " << cut_at;
    if (done) {
      ASSERT_EQ(table.lost, 25U) << "after step " << cut_at;
    }
    if (whole) break;
  }
  EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 25}));
}

}  // namespace
}  // namespace dmremap::remap
