// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/unflushed_writes.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "base/aligned_buffer.hpp"

namespace dmremap::table {
namespace {

constexpr SectorCount kSize{1'000 * kRegionSectors.value};
constexpr SectorRange kFirst{{100}, {8}};
constexpr SectorRange kLast{{999 * kRegionSectors.value}, {8}};

class UnflushedWritesTest : public testing::Test {
 protected:
  // What a process would find that takes over the memory now.
  [[nodiscard]] bool left(SectorRange range) const {
    return UnflushedWrites::any_in(memory.span(), kSize, range);
  }
  [[nodiscard]] bool in_doubt() const { return UnflushedWrites::is_flush_in_doubt(memory.span()); }

  AlignedBuffer memory{UnflushedWrites::bytes_for(kSize)};
  UnflushedWrites writes{kSize, memory.span()};
};

TEST_F(UnflushedWritesTest, AWriteIsUnflushedUntilAFlushEnds) {
  EXPECT_FALSE(writes.any());
  writes.add(kLast);
  EXPECT_TRUE(writes.any());
  EXPECT_TRUE(writes.any(kLast));
  EXPECT_FALSE(writes.any(kFirst));
  writes.begin_flush();
  EXPECT_TRUE(writes.any(kLast));
  EXPECT_TRUE(writes.covered().any(kLast));
  writes.end_flush();
  EXPECT_FALSE(writes.any());
}

TEST_F(UnflushedWritesTest, AWriteDuringAFlushIsForTheNext) {
  writes.begin_flush();
  writes.add(kFirst);
  writes.end_flush();
  EXPECT_TRUE(writes.any(kFirst));
}

TEST_F(UnflushedWritesTest, AFlushOfADeviceThatWasNotThereIsTakenBack) {
  writes.add(kFirst);
  writes.begin_flush();
  writes.cancel_flush();
  EXPECT_FALSE(writes.covered().any());
  EXPECT_TRUE(writes.any(kFirst));
}

TEST_F(UnflushedWritesTest, Promise3_AfterAKillWhatIsUnflushedIsFound) {
  EXPECT_FALSE(left(kLast));
  writes.add(kLast);
  EXPECT_TRUE(left(kLast));
  EXPECT_FALSE(left(kFirst));
  writes.begin_flush();
  EXPECT_TRUE(left(kLast));
  writes.end_flush();
  EXPECT_FALSE(left(kLast));
}

TEST_F(UnflushedWritesTest,
       Promise3_AFlushIsInDoubtFromBeforeItIsAskedUntilItsUserWillHearThatItIsGood) {
  EXPECT_FALSE(in_doubt());
  writes.begin_flush();
  EXPECT_TRUE(in_doubt());
  writes.end_flush();
  EXPECT_TRUE(in_doubt()) << "nobody has been told yet";
  writes.begin_flush();
  writes.cancel_flush();
  EXPECT_TRUE(in_doubt());
  writes.begin_flush();
  writes.end_flush();
  writes.end_doubt();
  EXPECT_FALSE(in_doubt());
}

TEST_F(UnflushedWritesTest, Promise3_AfterAKillTheRegionsAreListed) {
  const auto regions = [this] { return UnflushedWrites::regions_in(memory.span(), kSize); };
  EXPECT_TRUE(regions().empty());
  writes.add(kLast);
  writes.begin_flush();
  writes.add(kFirst);
  writes.add({{kRegionSectors.value}, {8}});
  const SectorRange first_two{{0}, kRegionSectors + kRegionSectors};
  EXPECT_EQ(regions(), (std::vector<SectorRange>{first_two, range_of_region(999)}))
      << "the dirty and the covered ones";
  EXPECT_TRUE(UnflushedWrites::regions_in(memory.span(), kSize + kSize).empty());
}

TEST_F(UnflushedWritesTest, AFlushOfASpareIsInDoubtByItself) {
  const auto spare_in_doubt = [this] {
    return UnflushedWrites::is_spare_flush_in_doubt(memory.span());
  };
  const SpareIndex second{1};
  EXPECT_FALSE(spare_in_doubt());
  writes.begin_doubt(kFirstSpare);
  writes.begin_doubt(second);
  writes.end_doubt(kFirstSpare);
  EXPECT_TRUE(spare_in_doubt());
  EXPECT_FALSE(in_doubt());
  writes.end_doubt(second);
  EXPECT_FALSE(spare_in_doubt());
}

TEST_F(UnflushedWritesTest, MemoryThatDoesNotTellIsUnflushedAndInDoubt) {
  EXPECT_TRUE(UnflushedWrites::is_spare_flush_in_doubt({}));
  EXPECT_TRUE(UnflushedWrites::any_in({}, kSize, kFirst));
  EXPECT_TRUE(UnflushedWrites::any_in(memory.span(), kSize + kSize, kFirst));
  EXPECT_TRUE(UnflushedWrites::any_in(memory.span(), kSize,
                                      {{kSize.value + 64 * kRegionSectors.value}, {8}}));
  EXPECT_TRUE(UnflushedWrites::is_flush_in_doubt({}));
}

}  // namespace
}  // namespace dmremap::table
