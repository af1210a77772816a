// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 9 for the metadata: every step may be the last. A simulated spare loses power before each
// write and flush in turn, and any part of what was not flushed.
#include <algorithm>
#include <cerrno>

#include <gtest/gtest.h>

#include "rig/crash_explorer.hpp"

namespace dmremap::metadata {
namespace {

constexpr SectorCount kSmallest = format::kMinSpareSize;

// Promise 9 for the metadata: open and three commits, the power cut before every write and flush in
// turn, an arbitrary part of what was unflushed lost; what is found is never older than what was
// acknowledged, never newer than what was begun, never a mixture, and the set is writable.
TEST(Promise9, EveryStepOfOpenAndCommitMayBeTheLast) {
  StoreRig rig(kSmallest);
  ASSERT_TRUE(rig.create());
  const std::vector<std::byte> healthy = rig.image();
  std::mt19937_64 coin(1);
  std::uint64_t cut = 0;
  for (bool was_cut = true; was_cut; ++cut) {
    was_cut = false;
    for (const InFlight fate : kFates) {
      rig.restore(healthy);
      rig.cut_at(cut);
      std::size_t acknowledged = 0;
      std::size_t begun = 0;
      try {
        const auto store = rig.open();
        ASSERT_TRUE(store);
        for (std::size_t n = 1; n <= 3; ++n) {
          begun = n;
          ASSERT_TRUE(commit(**store, with_extents(rig.content, n * 200, 24'000)));
          acknowledged = n;
        }
      } catch (const sim::PowerCut&) {
        was_cut = true;
      }
      power_cut(rig.spare, fate, coin);
      SCOPED_TRACE(testing::Message() << "cut " << cut << " fate " << static_cast<int>(fate));
      const auto found = survey(rig.spare);
      ASSERT_TRUE(found);
      ASSERT_EQ(found->decision.standing, Standing::read_write);
      const std::size_t extents = found->content->extents.size();
      EXPECT_EQ(found->content->extents, with_extents(rig.content, extents, 24'000).extents);
      EXPECT_EQ(extents % 200, 0U);
      EXPECT_GE(extents / 200, acknowledged);
      EXPECT_LE(extents / 200, begun);
      EXPECT_TRUE(rig.open());
    }
  }
  // Four commits of at least 8 bodies, 8 seals and 4 flushes: fewer means that no cut fired.
  EXPECT_GE(cut, 80U);
}

// A killed program loses nothing, but leaves its last writes in the drive's cache: the next opening
// may see a commit that a power cut would still undo. Killed at every step of an opening and a
// commit, then cut at every step of the next opening, all that was unflushed lost.
TEST(Promise9, APowerCutAfterAKillTakesNothingBackThatWasSeen) {
  StoreRig rig(kSmallest, 3);
  ASSERT_TRUE(rig.create());
  const std::vector<std::byte> healthy = rig.image();
  std::uint64_t cuts = 0;
  const auto run = [&](std::uint64_t steps, std::size_t to_commit) {
    rig.cut_at(steps);
    std::size_t acknowledged = 0;
    try {
      const auto found = survey(rig.spare);
      const auto store = Store::activate(rig.spare, *found, *found->content, rig.random, rig.clock);
      EXPECT_TRUE(store);
      acknowledged = found->content->extents.size();
      EXPECT_TRUE(commit(**store, with_extents(rig.content, to_commit, 24'000)));
      acknowledged = to_commit;
    } catch (const sim::PowerCut&) {
      ++cuts;
    }
    return acknowledged;
  };
  for (std::uint64_t kill = 0; kill < 46; ++kill) {
    for (std::uint64_t cut = 0; cut < 24; ++cut) {
      rig.restore(healthy);
      const std::size_t first = run(kill, 10);
      const std::size_t acknowledged = std::max(first, run(cut, 20));
      rig.spare.set_hook({});
      rig.spare.power_cut([](const sim::Request&, Sector) { return false; });
      const auto found = survey(rig.spare);
      ASSERT_TRUE(found);
      ASSERT_EQ(found->decision.standing, Standing::read_write) << kill << " " << cut;
      ASSERT_GE(found->content->extents.size(), acknowledged) << kill << " " << cut;
    }
  }
  EXPECT_GT(cuts, 1'900U);
}

// The repair that comes before an activation: with copies dead, unreadable or of an older commit.
TEST(Promise9, EveryStepOfARepairMayBeTheLast) {
  StoreRig rig(kSmallest);
  ASSERT_TRUE(rig.create());
  ASSERT_TRUE(commit(**rig.open(), with_extents(rig.content, 40, 24'000)));
  const std::vector<std::byte> healthy = rig.image();
  std::mt19937_64 coin(5);
  for (const std::vector<unsigned>& dead :
       {std::vector{0U, 1U}, {2U, 7U}, {5U, 6U}, {0U, 1U, 2U, 3U, 4U}}) {
    bool was_cut = true;
    for (std::uint64_t cut = 0; was_cut; ++cut) {
      was_cut = false;
      // In flight and unreadable on top of two dead copies may be doubtful.
      for (const InFlight fate : {InFlight::lost, InFlight::kept, InFlight::some}) {
        rig.restore(healthy);
        for (const unsigned copy : dead) rig.damage(copy);
        rig.cut_at(cut);
        try {
          ASSERT_TRUE(rig.open());
        } catch (const sim::PowerCut&) {
          was_cut = true;
        }
        power_cut(rig.spare, fate, coin);
        const auto found = survey(rig.spare);
        ASSERT_TRUE(found && found->decision.writable()) << "cut " << cut;
        ASSERT_EQ(found->content->extents.size(), 40U) << "cut " << cut;
      }
    }
  }
}

// `create --destroy`: an old set is given up for a new one. Whenever that ends, the spare says
// whose it is or that it is nobody's; it never says the old set once the new one is acknowledged;
// and the new set can be made after all.
TEST(Promise9, ASpareGivenToANewSetIsTheOldOnesOrTheNewOnesOrNobodys) {
  StoreRig rig(kSmallest);
  ASSERT_TRUE(rig.create());
  ASSERT_TRUE(commit(**rig.open(), with_extents(rig.content, 40, 24'000)));
  const Uuid old_set = rig.content.identity.set_uuid;
  const std::vector<std::byte> healthy = rig.image();
  rig.content = first_content(kSmallest, 9);
  std::mt19937_64 coin(8);
  bool was_cut = true;
  for (std::uint64_t cut = 0; was_cut; ++cut) {
    was_cut = false;
    for (const InFlight fate : kFates) {
      rig.restore(healthy);
      rig.cut_at(cut);
      bool made = false;
      try {
        made = rig.create().has_value();
      } catch (const sim::PowerCut&) {
        was_cut = true;
      }
      power_cut(rig.spare, fate, coin);
      const auto found = survey(rig.spare);
      // What is not even readable is said to be so.
      ASSERT_TRUE(found || found.error().code == ErrorCode::io) << "cut " << cut;
      if (found && found->decision.writable()) {
        const bool is_old = found->set_uuid == old_set;
        EXPECT_EQ(found->content->extents.size(), is_old ? 40U : 0U);
        EXPECT_FALSE(made && is_old);
      }
      if (made) {
        EXPECT_TRUE(found && found->decision.writable());
      }
      ASSERT_TRUE(rig.create()) << "cut " << cut;
      ASSERT_TRUE(rig.open()) << "cut " << cut;
    }
  }
}

// An activation reaches a few copies; these vanish; another activation of the same sequence and
// term is acknowledged on the others; the first ones return.
TEST(Promise9, OfTwoSiblingsTheAcknowledgedOneStays) {
  StoreRig rig(kSmallest);
  ASSERT_TRUE(rig.create());
  const std::vector<std::byte> healthy = rig.image();
  for (unsigned bits = 1; bits < 256; ++bits) {
    const CopySet first{bits};
    if (first.size() > 3 || contains_quorum(first)) continue;
    rig.restore(healthy);
    for (unsigned copy = 0; copy < format::kCopies; ++copy) {
      if (!first.contains(copy)) rig.spare.fail_writes(rig.copy_range(copy), EIO);
    }
    ASSERT_FALSE(rig.open());
    rig.spare.clear_faults();
    for (unsigned copy = 0; copy < format::kCopies; ++copy) {
      if (!first.contains(copy)) continue;
      rig.spare.fail_reads(rig.copy_range(copy), ENODATA);
      rig.spare.fail_writes(rig.copy_range(copy), EIO);
    }
    auto store = rig.open();
    if (!store) {
      EXPECT_EQ(store.error().code, ErrorCode::metadata_doubtful);
      continue;
    }
    const CommitName second = (*store)->current();
    rig.spare.clear_faults();
    const auto found = survey(rig.spare);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->decision.standing, Standing::read_write) << bits;
    EXPECT_EQ(found->decision.winner, second) << bits;
  }
}

// Many openings and commits with slots that vanish and come back, writes that fail, kills, power
// cuts and blocks torn in flight. A set that opens for writing holds exactly what some commit said,
// and nothing older than what was last acknowledged.
class Life {
 public:
  Life(const std::vector<std::byte>& healthy, StoreRig& rig, std::uint64_t seed)
      : rig_(rig), dice_(seed) {
    rig_.restore(healthy);
  }

  // False: the set was refused.
  bool opening() {
    add_faults();
    const bool served = serve();
    rig_.spare.set_hook({});
    rig_.spare.clear_faults();
    if (one_in(2)) power_cut(rig_.spare, one_in(4) ? InFlight::unreadable : InFlight::some, dice_);
    return served;
  }

 private:
  bool one_in(unsigned n) { return dice_() % n == 0; }

  void add_faults() {
    for (std::uint64_t n = dice_() % 7; n > 0; --n) {
      const unsigned copy = dice_() % format::kCopies;
      const SectorRange slot = rig_.slot_range(copy, dice_() % format::kSlots);
      const SectorRange range = one_in(2)   ? rig_.copy_range(copy)
                                : one_in(2) ? slot
                                            : SectorRange{slot.first, format::kBlockSectors};
      if (!one_in(4)) rig_.spare.fail_reads(range, ENODATA);
      if (one_in(2)) rig_.spare.fail_writes(range, EIO);
    }
    if (one_in(2)) rig_.cut_at(dice_() % 150);
  }

  bool serve() {
    try {
      const auto found = survey(rig_.spare);
      if (!found || refusal(*found, "spare")) return false;
      const std::size_t extents = found->content->extents.size();
      EXPECT_GE(extents, acknowledged_);
      EXPECT_LE(extents, begun_);
      EXPECT_EQ(found->content->extents, content(extents).extents);
      const auto store =
          Store::activate(rig_.spare, *found, *found->content, rig_.random, rig_.clock);
      if (!store) return true;
      acknowledged_ = extents;
      for (std::uint64_t n = dice_() % 5; n > 0; --n) {
        if (!commit(**store, content(++begun_))) return true;
        acknowledged_ = begun_;
      }
    } catch (const sim::PowerCut&) {
    }
    return true;
  }

  [[nodiscard]] format::Content content(std::size_t extents) const {
    return with_extents(rig_.content, extents, 24'000);
  }

  StoreRig& rig_;
  std::mt19937_64 dice_;
  std::size_t begun_ = 0;
  std::size_t acknowledged_ = 0;
};

TEST(Promise7, NoAcknowledgedCommitIsTakenBackInALifeOfFaults) {
  StoreRig rig(kSmallest);
  ASSERT_TRUE(rig.create());
  const std::vector<std::byte> healthy = rig.image();
  unsigned served = 0;
  unsigned refused = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    Life life(healthy, rig, seed);
    for (unsigned n = 0; n < 10; ++n) ++(life.opening() ? served : refused);
    if (HasFailure()) break;
  }
  // Neither is rare: both sides of the rule were tried.
  EXPECT_GT(served, 500U);
  EXPECT_GT(refused, 50U);
}

}  // namespace
}  // namespace dmremap::metadata
