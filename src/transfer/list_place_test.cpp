// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/list_place.hpp"

#include <gtest/gtest.h>

namespace dmremap::transfer {
namespace {

using Scope = ListPlace::Scope;
using Ranges = std::vector<SectorRange>;

KnownBadList list_of(Ranges lost, SectorCount block = {1}) {
  KnownBadList out;
  out.sectors.lost = std::move(lost);
  out.block = block;
  return out;
}

TEST(ListPlace, ABlockThatBeginsOnMainIsCutOffAtItsEnd) {
  // A disk of 1001 sectors, and the last block of its badblocks -b 4096.
  const auto placed = place_on_main(list_of({{{0}, {8}}, {{992}, {16}}}, {8}), {}, {1001});
  ASSERT_TRUE(placed) << placed.error().message();
  EXPECT_EQ(placed->sectors.lost, (Ranges{{{0}, {8}}, {{992}, {9}}}));
}

TEST(ListPlace, ABlockThatBeginsBeyondMainIsRefused) {
  EXPECT_EQ(place_on_main(list_of({{{1000}, {8}}}, {8}), {}, {1000}).error().code,
            ErrorCode::usage);
  EXPECT_FALSE(place_on_main(list_of({{{992}, {24}}}, {8}), {}, {1001})) << "two blocks joined";
  EXPECT_FALSE(place_on_main(list_of({{{1000}, {2}}}), {}, {1001})) << "no block of its own";
}

TEST(ListPlace, AListOfAPartitionIsMoved) {
  const ListPlace place{Scope::partition, {2048}, {}};
  EXPECT_EQ(place_on_main(list_of({{{0}, {8}}, {{100}, {1}}}), place, {10'000})->sectors.lost,
            (Ranges{{{2048}, {8}}, {{2148}, {1}}}));
  EXPECT_FALSE(place_on_main(list_of({{{9'000}, {1}}}), place, {10'000})) << "beyond main";
  EXPECT_EQ(
      place_on_main(list_of({{{7'952}, {8}}}, {8}), place, {10'001})->sectors.lost.back().end(),
      Sector{10'001});
}

TEST(ListPlace, OfAPartitionWhoseSizeIsKnownNothingLiesBeyondIt) {
  const ListPlace place{Scope::partition, {2048}, SectorCount{101}};
  EXPECT_EQ(place_on_main(list_of({{{96}, {8}}}, {8}), place, {10'000})->sectors.lost,
            (Ranges{{{2144}, {5}}}));
  const auto beyond = place_on_main(list_of({{{101}, {1}}}), place, {10'000});
  ASSERT_FALSE(beyond);
  EXPECT_NE(beyond.error().what.find("partition, which has 101"), std::string::npos);
}

TEST(ListPlace, OfAListOfTheWholeDiskOnlyMainsPartIsTaken) {
  const ListPlace place{Scope::whole_disk, {2048}, {}};
  KnownBadList list = list_of({{{0}, {1}}, {{2040}, {16}}, {{3040}, {16}}, {{9'000}, {8}}});
  list.sectors.suspect = {{{3000}, {8}}};
  const auto placed = place_on_main(list, place, {1'000});
  ASSERT_TRUE(placed);
  EXPECT_EQ(placed->sectors.lost, (Ranges{{{0}, {8}}, {{992}, {8}}}));
  EXPECT_EQ(placed->sectors.suspect, (Ranges{{{952}, {8}}}));
  EXPECT_EQ(placed->left_out, SectorCount{1 + 8 + 8 + 8});
}

TEST(ListPlace, AnOffsetSaysWhichOfTheTwoIsThePart) {
  EXPECT_EQ(find_place({}, "main.img")->scope, Scope::main);
  const auto partition = find_place({2048, {}}, "main.img");
  EXPECT_EQ(partition->scope, Scope::partition);
  EXPECT_EQ(partition->start, SectorCount{2048});
  const auto disk = find_place({-2048, {}}, "main.img");
  EXPECT_EQ(disk->scope, Scope::whole_disk);
  EXPECT_EQ(disk->start, SectorCount{2048});
  const auto none = find_place({{}, "/dev/null"}, "main.img");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::usage);
}

}  // namespace
}  // namespace dmremap::transfer
