// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 7, before any code is trusted with it: the rule over every state that crashes and damage
// can leave, and wrong rules to show that the check can fail.
#include <cstdlib>
#include <iostream>

#include <gtest/gtest.h>

#include "quorum/enumeration.hpp"
#include "quorum/lives.hpp"
#include "rig/store_rig.hpp"

namespace dmremap::quorum {
namespace {

using metadata::CopySet;
using metadata::SlotFacts;
using metadata::Standing;

// `make check-exhaustive` sets it: everything, not what fits a minute.
bool exhaustive() {
  return std::getenv("DMREMAP_EXHAUSTIVE") != nullptr;
}

TEST(Promise7, NoCrashAndNoDamageHidesAnAcknowledgedCommitFromAWritableSet) {
  for (const System& system : systems()) {
    const Outcome out = enumerate_crashes(system, shipped_rule());
    EXPECT_EQ(out.tally.wrong, 0U) << system.name << ": " << out.wrong.state;
    EXPECT_GT(out.tally.read_write, 0U) << system.name;
    EXPECT_GT(out.tally.doubtful, 0U) << system.name;
  }
}

TEST(Promise7, NothingAtAllInTheOtherSlotsHidesAnAcknowledgedCommitFromAWritableSet) {
  const Outcome out = enumerate_anything(chosen(), shipped_rule(), exhaustive());
  EXPECT_EQ(out.tally.wrong, 0U) << out.wrong.state;
  EXPECT_GT(out.tally.states(), 100'000'000U);
}

TEST(Promise7, NoSampledLifeRollsAnAcknowledgedCommitBack) {
  const LivesReport report =
      sample_lives(chosen(), shipped_rule(), 1, exhaustive() ? 3'000'000 : 20'000);
  EXPECT_EQ(report.wrong, 0U) << report.first_wrong;
  // A kind of event that never came would prove nothing.
  for (const std::uint64_t times :
       {report.openings, report.refused_doubtful, report.refused_fork, report.commits,
        report.crashes, report.orphans_back, report.resolutions}) {
    EXPECT_GE(times, 20U);
  }
}

TEST(Promise7, EveryWrongRuleIsCaught) {
  for (const Rule& rule : wrong_rules()) {
    const Outcome crashes = enumerate_crashes(chosen(), rule);
    const Outcome anything = enumerate_anything(chosen(), rule, false);
    const LivesReport lives = sample_lives(chosen(), rule, 1, 5'000);
    EXPECT_GT(crashes.tally.wrong + anything.tally.wrong, 0U) << rule.name;
    EXPECT_GT(lives.wrong, 0U) << rule.name;
    const Smallest& smallest =
        crashes.wrong.damaged <= anything.wrong.damaged ? crashes.wrong : anything.wrong;
    std::cout << rule.name << ": with " << smallest.damaged << " slots damaged: " << smallest.state
              << "\n  " << lives.first_wrong << "\n";
  }
}

TEST(Quorum, ACrashAndAnyTwoUnreadableSlotsLeaveTheSetWritable) {
  EXPECT_GE(enumerate_crashes(chosen(), shipped_rule()).refused.damaged, 3U);
}

TEST(Quorum, AnyTwoCopiesOrTheWholeNearRegionMayDieForGood) {
  const Endurance lasts = endurance(chosen(), shipped_rule());
  EXPECT_EQ(lasts.any_copies, 2U);
  EXPECT_TRUE(lasts.near_region);
}

// What the term is for: a commit that a crash left unfinished comes back after the next opening.
TEST(Quorum, AnOrphanThatComesBackCostsNothing) {
  const Outcome with_term = enumerate_crashes(chosen(), shipped_rule());
  EXPECT_GE(with_term.refused_for_an_orphan.damaged, 3U) << with_term.refused_for_an_orphan.state;
  const Outcome without = enumerate_crashes(chosen(), rule_without_term_that_refuses_forks());
  EXPECT_EQ(without.tally.wrong, 0U);
  EXPECT_EQ(without.refused_for_an_orphan.damaged, 1U);
}

// The classes lose nothing: the same crashes and damage, slot by slot on three copies, with every
// subset spelled out, give the same counts.
class RawEnumeration {
 public:
  Tally run() {
    const System& system = three_copies();
    for (unsigned dead = 0; dead < 8; ++dead) {
      for (unsigned dead_other = 0; dead_other < 8; ++dead_other) {
        Contents start = filled(Kind::acked, Kind::older);
        put(start, 0, dead, Kind::nothing);
        put(start, 1, dead_other, Kind::nothing);
        if (!opens(start)) continue;
        stop(start, 0, dead, Kind::acked, Kind::acked);
        Contents mended = start;
        put(mended, 0, dead, Kind::acked);
        stop(mended, 1, dead_other, Kind::older, Kind::acked);
        stop(mended, 1, 7, Kind::next, Kind::acked);
      }
    }
    // Acknowledged with two copies durable, the third not flushed yet.
    for (const Kind third : {Kind::older, Kind::acked}) {
      Contents acknowledged = filled(Kind::acked, Kind::older);
      put(acknowledged, 0, 4, third);
      damage(acknowledged, Kind::acked);
    }
    for (unsigned failing = 0; failing < 8; ++failing) {
      if (!system.contains_quorum(copies(7 & ~failing))) continue;
      Contents running = filled(Kind::acked, Kind::older);
      put(running, 0, failing, Kind::older);
      stop(running, 1, 7 & ~failing, Kind::next, Kind::acked);
      Contents open_without = filled(Kind::acked, Kind::older);
      put(open_without, 0, failing, Kind::nothing);
      put(open_without, 1, failing, Kind::nothing);
      if (!opens(open_without)) continue;
      for (const Kind left : {Kind::rival, Kind::orphan}) {
        Contents back = filled(Kind::acked, Kind::older);
        put(back, 1, failing, left);
        stop(back, 1, 7 & ~failing, Kind::next, Kind::acked);
        put(back, 1, 7 & ~failing, Kind::next);
        damage(back, Kind::next);
      }
    }
    return tally_;
  }

 private:
  using Contents = std::array<std::array<Kind, 3>, 2>;  // by column and copy
  static constexpr std::array<unsigned, 3> kPlaces{0, 1, 5};

  static Contents filled(Kind acked, Kind other) {
    Contents out{};
    out[0].fill(acked);
    out[1].fill(other);
    return out;
  }
  static void put(Contents& in, unsigned column, unsigned bits, Kind kind) {
    for (unsigned copy = 0; copy < 3; ++copy) {
      if (((bits >> copy) & 1U) != 0) in[column][copy] = kind;
    }
  }
  static CopySet copies(unsigned bits) {
    CopySet out;
    for (unsigned copy = 0; copy < 3; ++copy) {
      if (((bits >> copy) & 1U) != 0) out.add(kPlaces[copy]);
    }
    return out;
  }
  static metadata::Decision judge(const Contents& contents) {
    SlotFacts facts{};
    for (auto& copy : facts) copy.fill({true, false, {}});
    for (unsigned column = 0; column < 2; ++column) {
      for (unsigned copy = 0; copy < 3; ++copy) {
        facts[kPlaces[copy]][column] = fact_of(contents[column][copy], column);
      }
    }
    return metadata::decide(facts, three_copies().contains_quorum);
  }
  static bool opens(const Contents& contents) {
    const metadata::Decision d = judge(contents);
    return d.writable() && kind_of(*d.winner) == Kind::acked;
  }
  // One copy a wave: stopped with none, one, two or all three issued, the last one kept or lost.
  void stop(const Contents& from, unsigned column, unsigned targets, Kind kind, Kind newest) {
    for (unsigned wave = 0; wave < 3; ++wave) {
      Contents now = from;
      put(now, column, targets & ((1U << wave) - 1), kind);
      damage(now, newest);
      if (((targets >> wave) & 1U) == 0) continue;
      put(now, column, 1U << wave, kind);
      damage(now, newest);
    }
  }
  void damage(const Contents& from, Kind newest) {
    for (unsigned bits = 0; bits < 64; ++bits) {
      Contents now = from;
      put(now, 0, bits & 7U, Kind::nothing);
      put(now, 1, bits >> 3U, Kind::nothing);
      const metadata::Decision d = judge(now);
      if (!d.writable()) {
        ++(d.standing == Standing::fork ? tally_.fork : tally_.doubtful);
        continue;
      }
      const Kind winner = kind_of(*d.winner);
      const bool is_older = winner == Kind::older || winner == Kind::sibling;
      const bool is_left = winner == Kind::rival || winner == Kind::orphan;
      const bool is_wrong =
          is_older || (newest == Kind::next && (winner == Kind::acked || is_left));
      ++(is_wrong ? tally_.wrong : tally_.read_write);
    }
  }

  Tally tally_;
};

TEST(Quorum, TheRawEnumerationAgreesOnThreeCopies) {
  const Tally classes = enumerate_crashes(three_copies(), shipped_rule()).tally;
  EXPECT_EQ(RawEnumeration().run(), classes);
  EXPECT_GT(classes.fork, 0U);
}

// The map from what is found in a slot to the class in which it is counted is total, and the class
// depends on nothing but the verdict and the order of the commit it names.
TEST(Quorum, EveryVerdictHasItsClass) {
  using format::Verdict;
  metadata::StoreRig rig;
  ASSERT_TRUE(rig.create());
  const std::vector<std::byte> image = rig.image();
  const auto slot_of = [&](unsigned copy, unsigned slot) { return rig.slot_range(copy, slot); };
  const auto found = [&](unsigned copy, unsigned slot) {
    return metadata::survey(rig.spare)->copies[copy].slots[slot];
  };
  const auto raw = [&](SectorRange range) {
    return std::span(image).subspan(range.first.byte_offset(), range.count.bytes());
  };
  for (unsigned code = 0; code <= static_cast<unsigned>(Verdict::good); ++code) {
    const auto verdict = static_cast<Verdict>(code);
    rig.restore(image);
    bool settled = false;
    switch (verdict) {
      case Verdict::unreadable:
        rig.spare.fail_reads(slot_of(2, 0), ENODATA);
        break;
      case Verdict::empty:
        rig.damage(2, 0, std::byte{0});
        break;
      case Verdict::corrupt:
        rig.damage(2, 0);
        break;
      case Verdict::misplaced:
        rig.spare.poke(slot_of(2, 0).first, raw(slot_of(1, 0)));
        break;
      case Verdict::foreign: {
        metadata::StoreRig other;
        other.content.identity.set_uuid.bytes[3] = std::byte{9};
        ASSERT_TRUE(other.create());
        const std::vector<std::byte> theirs = other.image();
        rig.spare.poke(slot_of(2, 0).first, std::span(theirs).subspan(
                                                slot_of(2, 0).first.byte_offset(), 512 * 1024 / 2));
        break;
      }
      case Verdict::torn:
        // Under the seal of the winner: settled all the same.
        rig.spare.poke(slot_of(2, 0).first + format::kBlockSectors,
                       std::vector<std::byte>(format::kBlockBytes));
        settled = true;
        break;
      case Verdict::stale:
        EXPECT_EQ(found(2, 1).verdict, Verdict::stale);
        EXPECT_TRUE(found(2, 1).settled);
        continue;
      case Verdict::good:
        settled = true;
        break;
    }
    EXPECT_EQ(found(2, 0).verdict, verdict) << format::name_of(verdict);
    EXPECT_EQ(found(2, 0).settled, settled) << format::name_of(verdict);
  }
}

}  // namespace
}  // namespace dmremap::quorum
