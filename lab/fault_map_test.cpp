// SPDX-License-Identifier: GPL-2.0-or-later
#include "fault_map.hpp"

#include <array>
#include <cerrno>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace dmremap::lab {
namespace {

constexpr Fault kRead{.read_errno = EIO};
constexpr Fault kWrite{.write_errno = EIO};
constexpr Fault kUntilWritten{.until_written = true};

SectorRange range(std::uint64_t first, std::uint64_t count) {
  return {{first}, {count}};
}

std::optional<Failure> read_at(const FaultMap& map, SectorRange where, double draw = 0) {
  return map.decide(where, Access::read, draw);
}

std::optional<Failure> write_at(const FaultMap& map, SectorRange where, double draw = 0) {
  return map.decide(where, Access::write, draw);
}

TEST(FaultMap, ReadFaultFailsReadsThatTouchItAndNoWrites) {
  FaultMap map;
  map.add(range(10, 2), kRead);
  EXPECT_FALSE(read_at(map, range(8, 2)));
  EXPECT_FALSE(read_at(map, range(12, 100)));
  EXPECT_EQ(read_at(map, range(0, 100)), (Failure{EIO, {10}}));
  EXPECT_EQ(read_at(map, range(11, 1)), (Failure{EIO, {11}}));
  EXPECT_FALSE(write_at(map, range(0, 100)));
}

TEST(FaultMap, FirstSectorThatFailsGivesTheErrno) {
  FaultMap map;
  map.add(range(20, 1), Fault{.write_errno = ENODATA});
  map.add(range(10, 1), Fault{.write_errno = EILSEQ});
  map.add(range(5, 1), kRead);
  EXPECT_EQ(write_at(map, range(0, 30)), (Failure{EILSEQ, {10}}));
}

TEST(FaultMap, LaterFaultSetsItsKindsAndLeavesTheOthers) {
  FaultMap map;
  map.add(range(0, 10), Fault{.read_errno = ENODATA, .slow_ms = 5});
  map.add(range(4, 2), Fault{.write_errno = EIO, .slow_ms = 9});
  const std::vector<FaultRun> expected{
      {range(0, 4), {.read_errno = ENODATA, .slow_ms = 5}},
      {range(4, 2), {.read_errno = ENODATA, .write_errno = EIO, .slow_ms = 9}},
      {range(6, 4), {.read_errno = ENODATA, .slow_ms = 5}}};
  EXPECT_EQ(map.runs(), expected);
}

TEST(FaultMap, EqualNeighboursAreOneRun) {
  FaultMap map;
  map.add(range(0, 4), kRead);
  map.add(range(8, 4), kRead);
  map.add(range(4, 4), kRead);
  EXPECT_EQ(map.runs(), (std::vector<FaultRun>{{range(0, 12), kRead}}));
}

TEST(FaultMap, UntilWrittenAloneImpliesRead) {
  FaultMap map;
  map.add(range(0, 1), kUntilWritten);
  EXPECT_EQ(read_at(map, range(0, 1)), (Failure{EIO, {0}}));
}

TEST(FaultMap, UntilWrittenKeepsTheErrnoOfAnEarlierReadFault) {
  FaultMap map;
  map.add(range(0, 1), Fault{.read_errno = ENODATA});
  map.add(range(0, 1), kUntilWritten);
  EXPECT_EQ(read_at(map, range(0, 1)), (Failure{ENODATA, {0}}));
}

TEST(FaultMap, WriteHealsExactlyWhatItCovered) {
  FaultMap map;
  map.add(range(0, 8), kUntilWritten);
  map.written(range(2, 3));
  EXPECT_FALSE(read_at(map, range(2, 3)));
  EXPECT_EQ(read_at(map, range(0, 8)), (Failure{EIO, {0}}));
  EXPECT_EQ(read_at(map, range(2, 6)), (Failure{EIO, {5}}));
}

TEST(FaultMap, WriteDoesNotHealAPlainReadFault) {
  FaultMap map;
  map.add(range(0, 1), kRead);
  map.written(range(0, 1));
  EXPECT_TRUE(read_at(map, range(0, 1)));
}

TEST(FaultMap, HealedSectorStaysSlow) {
  FaultMap map;
  map.add(range(0, 1), Fault{.until_written = true, .slow_ms = 7});
  map.written(range(0, 1));
  EXPECT_EQ(map.runs(), (std::vector<FaultRun>{{range(0, 1), {.slow_ms = 7}}}));
}

TEST(FaultMap, SlowestSectorSetsThePace) {
  FaultMap map;
  map.add(range(0, 1), Fault{.slow_ms = 7});
  map.add(range(9, 1), Fault{.slow_ms = 3});
  EXPECT_EQ(map.delay_ms(range(0, 10)), 7U);
  EXPECT_EQ(map.delay_ms(range(1, 9)), 3U);
  EXPECT_EQ(map.delay_ms(range(1, 8)), 0U);
}

TEST(FaultMap, FlakyFiresWhenTheDrawIsBelowItsChance) {
  FaultMap map;
  map.add(range(0, 1), Fault{.flaky = 0.25});
  EXPECT_TRUE(read_at(map, range(0, 1), 0.24));
  EXPECT_FALSE(read_at(map, range(0, 1), 0.25));
  EXPECT_FALSE(write_at(map, range(0, 1), 0.0)) << "flaky alone implies read only";
}

TEST(FaultMap, FlakyOnAWriteFaultAddsNoReadFault) {
  FaultMap map;
  map.add(range(0, 1), kWrite);
  map.add(range(0, 1), Fault{.flaky = 0.5});
  EXPECT_FALSE(read_at(map, range(0, 1), 0.0));
  EXPECT_TRUE(write_at(map, range(0, 1), 0.4));
  EXPECT_FALSE(write_at(map, range(0, 1), 0.6));
}

TEST(FaultMap, ClearTakesEveryKindFromItsRangeOnly) {
  FaultMap map;
  map.add(range(0, 10), Fault{.read_errno = EIO, .write_errno = EIO, .slow_ms = 1});
  map.clear(range(3, 2));
  EXPECT_FALSE(read_at(map, range(3, 2)));
  EXPECT_EQ(map.delay_ms(range(3, 2)), 0U);
  EXPECT_TRUE(read_at(map, range(2, 1)));
  EXPECT_TRUE(write_at(map, range(5, 1)));
  map.clear();
  EXPECT_TRUE(map.empty());
}

// The same operations on an array with one Fault for each sector.
class NaiveMap {
 public:
  static constexpr std::uint64_t kSectors = 48;

  void add(SectorRange r, const Fault& f) {
    for_each(r, [&](Fault& s) { s = overlay(s, f); });
  }
  void clear(SectorRange r) {
    for_each(r, [](Fault& s) { s = Fault{}; });
  }
  void written(SectorRange r) {
    for_each(r, [](Fault& s) { s = after_write(s); });
  }
  [[nodiscard]] std::optional<Failure> decide(SectorRange r, Access access, double draw) const {
    for (std::uint64_t s = r.first.value; s < r.end().value; ++s) {
      const Fault& f = sectors_[s];
      const int error = access == Access::read ? f.read_errno : f.write_errno;
      if (error != 0 && draw < f.flaky.value_or(1.0)) return Failure{error, {s}};
    }
    return std::nullopt;
  }
  [[nodiscard]] std::uint32_t delay_ms(SectorRange r) const {
    std::uint32_t out = 0;
    for (std::uint64_t s = r.first.value; s < r.end().value; ++s) {
      out = std::max(out, sectors_[s].slow_ms);
    }
    return out;
  }
  [[nodiscard]] std::vector<FaultRun> runs() const {
    std::vector<FaultRun> out;
    for (std::uint64_t s = 0; s < kSectors; ++s) {
      if (sectors_[s].none()) continue;
      if (!out.empty() && out.back().range.end().value == s && out.back().fault == sectors_[s]) {
        ++out.back().range.count.value;
      } else {
        out.push_back({{{s}, {1}}, sectors_[s]});
      }
    }
    return out;
  }

 private:
  template <typename F>
  void for_each(SectorRange r, F f) {
    for (std::uint64_t s = r.first.value; s < r.end().value; ++s) f(sectors_[s]);
  }
  std::array<Fault, kSectors> sectors_{};
};

SectorRange any_range() {
  const auto first = *rc::gen::inRange<std::uint64_t>(0, NaiveMap::kSectors);
  const auto end = *rc::gen::inRange<std::uint64_t>(first, NaiveMap::kSectors + 1);
  return range(first, end - first);
}

Fault any_fault() {
  Fault f;
  f.read_errno = *rc::gen::element(0, 0, EIO, ENODATA);
  f.write_errno = *rc::gen::element(0, 0, EIO, ENOSPC);
  f.until_written = *rc::gen::arbitrary<bool>();
  f.slow_ms = *rc::gen::element<std::uint32_t>(0, 0, 10, 20);
  if (*rc::gen::arbitrary<bool>()) f.flaky = *rc::gen::element(0.0, 0.25, 0.5, 1.0);
  return f;
}

TEST(FaultMap, BehavesAsOneFaultForEachSector) {
  const bool held = rc::check("the map equals its per-sector model", [] {
    FaultMap map;
    NaiveMap naive;
    const int steps = *rc::gen::inRange(1, 40);
    for (int i = 0; i < steps; ++i) {
      const SectorRange where = any_range();
      switch (*rc::gen::inRange(0, 5)) {
        case 0:
          map.clear(where);
          naive.clear(where);
          break;
        case 1:
          map.written(where);
          naive.written(where);
          break;
        default: {
          const Fault fault = any_fault();
          map.add(where, fault);
          naive.add(where, fault);
        }
      }
      RC_ASSERT(map.runs() == naive.runs());
      const SectorRange asked = any_range();
      const double draw = *rc::gen::element(0.0, 0.3, 0.6, 0.99);
      RC_ASSERT(map.decide(asked, Access::read, draw) == naive.decide(asked, Access::read, draw));
      RC_ASSERT(map.decide(asked, Access::write, draw) == naive.decide(asked, Access::write, draw));
      RC_ASSERT(map.delay_ms(asked) == naive.delay_ms(asked));
    }
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace dmremap::lab
