// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <utility>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/checksum.hpp"
#include "base/clock.hpp"
#include "base/endian.hpp"
#include "format/body.hpp"
#include "format/seal.hpp"
#include "format/sections.hpp"

namespace dmremap::format {
namespace {

constexpr SectorCount kSpareSize{262'144};

Seal some_seal() {
  Seal seal;
  seal.set_uuid = system_random().uuid();
  seal.device_uuid = system_random().uuid();
  seal.copy = 6;
  seal.slot = 1;
  seal.device_size = kSpareSize;
  seal.positions = copy_positions(kSpareSize);
  seal.byte_offset = (seal.positions[6] + kSlotSectors).byte_offset();
  seal.sequence = 41;
  seal.term = 3;
  seal.commit = system_random().commit_id();
  seal.parent = system_random().commit_id();
  seal.wall_ns = 1'700'000'000'000'000'000;
  seal.body_blocks = 3;
  seal.body_crc = 0x12345678;
  return seal;
}

std::vector<std::byte> packed(const Seal& seal) {
  std::vector<std::byte> block(kBlockBytes);
  pack_seal(seal, block);
  return block;
}

void reseal(std::vector<std::byte>& block) {
  store_le(std::span(block), 508, crc32c(std::span(block).first(508)));
}

Content some_content() {
  Content content;
  content.identity.name = "backup";
  content.identity.set_uuid = system_random().uuid();
  content.identity.main.size = {2'000'000};
  content.identity.main.kind = DeviceKind::disk;
  content.identity.main.serial = "WD-1234";
  content.identity.main.path_hint = "/dev/sdb";
  content.identity.spare.size = kSpareSize;
  content.health.events.push_back(
      {1, 5, EventKind::remap, Severity::warning, {{8}, {8}}, 61, "write error"});
  content.health.next_event = 2;
  content.extents = {Extent(State::lost, {{64}, {8}}).with_evidence(61, 7, 9'000'000'000),
                     Extent(State::remapped, {{128}, {16}}, {kFirstSpare, {20'000}})};
  content.retired = {Extent(State::retired, {{0}, {8}}, {kFirstSpare, {30'000}})};
  return content;
}

std::vector<std::byte> encoded(const Content& content, const BodyName& name) {
  return encoded_body(name, content);
}

BodyName name_for(const Content& content) {
  return {content.identity.set_uuid, 41, 3, system_random().commit_id(), {}, 77};
}

TEST(Layout, NearCopiesLieAtTheFiveFixedSectors) {
  const CopyPositions at = copy_positions(kMinSpareSize);
  const std::array<std::uint64_t, 5> expected{0, 1024, 2048, 4096, 8192};
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(at[i].value, expected[i]);
}

RC_GTEST_PROP(Layout, FarCopiesAreApartAlignedAndTheLastIsNearTheEnd, ()) {
  const SectorCount size{*rc::gen::inRange<std::uint64_t>(kMinSpareSize.value, 1ULL << 40U)};
  const CopyPositions at = copy_positions(size);
  for (std::size_t i = 1; i < kCopies; ++i) {
    RC_ASSERT(at[i] >= at[i - 1] + kCopySectors);
    RC_ASSERT(i < kNearCopies || at[i].value % 2048 == 0);
  }
  RC_ASSERT(at.back() + kCopySectors <= Sector{size.value});
  RC_ASSERT(size.value - at.back().value <= 4096);
}

TEST(Seal, RoundTrips) {
  const Seal seal = some_seal();
  const SealReading back = unpack_seal(packed(seal));
  EXPECT_EQ(back.check, SealCheck::ok);
  EXPECT_EQ(back.seal, seal);
  EXPECT_TRUE(belongs_at(seal, {6, 1}, seal.positions[6] + kSlotSectors));
  EXPECT_FALSE(belongs_at(seal, {6, 1}, seal.positions[5] + kSlotSectors));
  EXPECT_FALSE(belongs_at(seal, {5, 1}, seal.positions[6] + kSlotSectors));
}

TEST(Seal, EveryFlippedBitOfTheBlockIsNoticed) {
  const std::vector<std::byte> good = packed(some_seal());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::vector<std::byte> bad = good;
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    ASSERT_NE(unpack_seal(bad).check, SealCheck::ok) << "bit " << bit;
  }
}

TEST(Seal, ZerosAreEmptyAndNoiseIsCorrupt) {
  std::vector<std::byte> block(kBlockBytes);
  EXPECT_EQ(unpack_seal(block).check, SealCheck::empty);
  block[100] = std::byte{1};
  EXPECT_EQ(unpack_seal(block).check, SealCheck::corrupt);
  EXPECT_FALSE(unpack_seal(block).has_magic);
}

TEST(Seal, ANewerVersionOrAnUnknownIncompatibleFeatureIsToldFromDamage) {
  std::vector<std::byte> block = packed(some_seal());
  store_le<std::uint32_t>(block, 8, kFormatVersion + 1);
  reseal(block);
  EXPECT_EQ(unpack_seal(block).check, SealCheck::newer_format);
  block = packed(some_seal());
  store_le<std::uint64_t>(block, 32, 4);
  reseal(block);
  EXPECT_EQ(unpack_seal(block).check, SealCheck::newer_format);
}

TEST(Seal, ReservedBytesAndImpossibleFieldsAreCorruptUnderARightChecksum) {
  const auto with = [](std::size_t offset, std::uint8_t value) {
    std::vector<std::byte> block = packed(some_seal());
    block[offset] = static_cast<std::byte>(value);
    reseal(block);
    return unpack_seal(block).check;
  };
  EXPECT_EQ(with(12, 1), SealCheck::corrupt);    // reserved
  EXPECT_EQ(with(300, 1), SealCheck::corrupt);   // reserved
  EXPECT_EQ(with(73, 1), SealCheck::corrupt);    // a second spare
  EXPECT_EQ(with(74, 8), SealCheck::corrupt);    // copy 8
  EXPECT_EQ(with(75, 0), SealCheck::corrupt);    // an odd sequence in slot A
  EXPECT_EQ(with(216, 64), SealCheck::corrupt);  // more blocks than a slot has
  EXPECT_EQ(with(104, 1), SealCheck::corrupt);   // a near copy elsewhere
}

TEST(Body, RoundTrips) {
  const Content content = some_content();
  const BodyName name = name_for(content);
  const auto decoded = decode_body(encoded(content, name));
  ASSERT_TRUE(std::holds_alternative<DecodedBody>(decoded));
  EXPECT_EQ(std::get<DecodedBody>(decoded).content, content);
  EXPECT_EQ(std::get<DecodedBody>(decoded).name, name);
}

TEST(Body, UnknownOptionalSectionsAreCarriedAndRequiredOnesRefused) {
  Content content = some_content();
  content.unknown.push_back({99, 0, std::vector<std::byte>(5000, std::byte{7})});
  auto decoded = decode_body(encoded(content, name_for(content)));
  ASSERT_TRUE(std::holds_alternative<DecodedBody>(decoded));
  EXPECT_EQ(std::get<DecodedBody>(decoded).content.unknown, content.unknown);
  content.unknown[0].flags = 1;
  decoded = decode_body(encoded(content, name_for(content)));
  ASSERT_TRUE(std::holds_alternative<BodyFault>(decoded));
  EXPECT_EQ(std::get<BodyFault>(decoded), BodyFault::required);
}

void rechecksum(std::vector<std::byte>& blocks, std::size_t index) {
  const auto block = std::span(blocks).subspan(index * kBlockBytes, kBlockBytes);
  store_le(block, 0, crc32c(block.subspan(4)));
}

bool is_refused(const std::vector<std::byte>& blocks) {
  const auto decoded = decode_body(blocks);
  return std::holds_alternative<BodyFault>(decoded) &&
         std::get<BodyFault>(decoded) == BodyFault::section;
}

// Carried along, they would take more room than there is.
TEST(Body, SectionsThatOverlapAreRefusedUnderRightChecksums) {
  Content content = some_content();
  content.unknown.assign(1, {99, 0, std::vector<std::byte>(64, std::byte{7})});
  std::vector<std::byte> blocks = encoded(content, name_for(content));
  const auto entry = std::span(blocks).subspan(kBlockHeaderBytes + 256 + std::size_t{4} * 32, 32);
  const auto identity = std::span(blocks).subspan(kBlockBytes + kBlockHeaderBytes, kIdentityBytes);
  store_le<std::uint32_t>(entry, 4, kPayloadBytes);
  store_le<std::uint32_t>(entry, 8, kIdentityBytes);
  store_le(entry, 12, crc32c(identity));
  rechecksum(blocks, 0);
  EXPECT_TRUE(is_refused(blocks));
}

TEST(Body, BytesOfNoSectionAreZero) {
  const Content content = some_content();
  for (const std::size_t in_block : {std::size_t{1'900}, kPayloadBytes - 1}) {
    std::vector<std::byte> blocks = encoded(content, name_for(content));
    blocks.at(kBlockBytes + kBlockHeaderBytes + in_block) = std::byte{1};
    rechecksum(blocks, 1);
    EXPECT_TRUE(is_refused(blocks));
  }
}

// What is read must fit again, with the table at a block boundary: the next commit carries it
// along.
TEST(Body, ATableThatLeavesNoRoomToBeWrittenAgainIsRefused) {
  Content content = some_content();
  const std::vector<Extent> extents = std::exchange(content.extents, {});
  content.retired.clear();
  std::vector<std::byte> entry(kEntryBytes);
  ExtentCodec::pack(extents.front(), entry);
  const std::size_t rest =
      kStreamBytes - kPayloadBytes - kIdentityBytes - kConfigurationBytes - entry.size();
  content.unknown = {{98, 0, entry}, {99, 0, std::vector<std::byte>(rest, std::byte{7})}};
  std::vector<std::byte> blocks = encoded(content, name_for(content));
  ASSERT_TRUE(std::holds_alternative<DecodedBody>(decode_body(blocks)));
  // The bytes of section 98 become the table, and the empty table section 98.
  const auto place_of = [&](std::size_t section) {
    return std::span(blocks).subspan(kBlockHeaderBytes + 256 + section * 32 + 4, 12);
  };
  std::swap_ranges(place_of(3).begin(), place_of(3).end(), place_of(4).begin());
  rechecksum(blocks, 0);
  const auto decoded = decode_body(blocks);
  ASSERT_TRUE(std::holds_alternative<BodyFault>(decoded));
  EXPECT_EQ(std::get<BodyFault>(decoded), BodyFault::table);
}

RC_GTEST_PROP(Body, AnySingleFlippedBitIsNoticed, ()) {
  const Content content = some_content();
  std::vector<std::byte> bytes = encoded(content, name_for(content));
  const auto bit = *rc::gen::inRange<std::size_t>(0, bytes.size() * 8);
  bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  RC_ASSERT(std::holds_alternative<BodyFault>(decode_body(bytes)));
}

RC_GTEST_PROP(Body, AnyBytesGiveAVerdict, (std::vector<std::uint8_t> noise)) {
  noise.resize(align_up(noise.size() + 1, kBlockBytes));
  (void)decode_body(std::as_bytes(std::span(noise)));
}

TEST(Body, OverlappingOrOutlyingEntriesAreRefused) {
  const auto fault_of = [](auto change) {
    Content content = some_content();
    change(content);
    const auto decoded = decode_body(encoded(content, name_for(content)));
    return std::holds_alternative<BodyFault>(decoded) &&
           std::get<BodyFault>(decoded) == BodyFault::table;
  };
  EXPECT_TRUE(fault_of([](Content& c) { c.extents.push_back(Extent(State::gone, {{71}, {8}})); }));
  EXPECT_TRUE(fault_of([](Content& c) {
    c.extents.push_back(
        Extent(State::remapped, {{256}, {8}}, {kFirstSpare, {20'008}}));  // a spare sector twice
  }));
  EXPECT_TRUE(fault_of([](Content& c) {
    c.extents.push_back(
        Extent(State::remapped, {{256}, {8}}, {kFirstSpare, {1'024}}));  // inside a copy
  }));
  EXPECT_TRUE(fault_of([](Content& c) {
    c.extents.push_back(Extent(State::lost, {{1'999'999}, {2}}));
  }));
}

TEST(Body, HoldsAtLeastTenThousandExtents) {
  EXPECT_GE(table_capacity(std::vector<UnknownSection>{}), 10'000U);
  Content content = some_content();
  content.identity.spare.size = {1ULL << 30U};  // the far copies lie beyond what is used here
  content.extents.clear();
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    content.extents.push_back(
        Extent(State::remapped, {{i * 16}, {8}}, {kFirstSpare, {20'000 + i * 8}}));
  }
  content.retired.clear();
  const auto decoded = decode_body(encoded(content, name_for(content)));
  ASSERT_TRUE(std::holds_alternative<DecodedBody>(decoded));
  EXPECT_EQ(std::get<DecodedBody>(decoded).content.extents, content.extents);
}

TEST(TableImage, EntriesKeepTheirPlaceSoThatAChangeTouchesFewBlocks) {
  std::vector<Extent> extents;
  for (std::uint64_t i = 0; i < 1'000; ++i) extents.push_back(Extent(State::lost, {{i * 16}, {8}}));
  TableImage table;
  ASSERT_TRUE(table.apply(table.change_to(extents, {})));
  const std::vector<Extent> before = table.entries();
  extents.erase(extents.begin() + 500);
  extents.push_back(Extent(State::remapped, {{8}, {8}}, {kFirstSpare, {20'000}}));
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.main().first < b.main().first; });
  ASSERT_TRUE(table.apply(table.change_to(extents, {})));
  std::size_t changed = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    changed += before[i] == table.entries()[i] ? 0U : 1U;
  EXPECT_EQ(changed, 1U);
  EXPECT_EQ(table.entries().size(), before.size());
}

TEST(TableImage, OfAChangedEntryItsBlockAloneIsEncodedAnew) {
  const Content content = some_content();
  std::vector<Extent> extents;
  for (std::uint64_t i = 0; i < 1'000; ++i) extents.push_back(Extent(State::lost, {{i * 16}, {8}}));
  TableImage table;
  ASSERT_TRUE(table.apply(table.change_to(extents, {})));
  const EncodedBody before = encode_body(name_for(content), content, table);
  const Extent gone(State::gone, extents[400].main());
  ASSERT_TRUE(table.apply({{extents[400]}, {gone}}));
  const EncodedBody after = encode_body(name_for(content), content, table);
  ASSERT_EQ(after.blocks.size(), before.blocks.size());
  ASSERT_EQ(after.table_block, before.table_block);
  std::size_t shared = 0;
  for (std::size_t i = before.table_block; i < before.blocks.size(); ++i) {
    shared += before.blocks[i] == after.blocks[i] ? 1U : 0U;
  }
  EXPECT_EQ(shared, before.blocks.size() - before.table_block - 1);
  EXPECT_EQ(after.crc, crc32c(after.bytes()));
  extents[400] = gone;
  const auto decoded = decode_body(after.bytes());
  ASSERT_TRUE(std::holds_alternative<DecodedBody>(decoded));
  EXPECT_EQ(std::get<DecodedBody>(decoded).content.extents, extents);
}

TEST(TableImage, OfTwoExtentsInOnePlaceOfTheSpareNothingIsTaken) {
  TableImage table;
  const Extent a(State::remapped, {{0}, {8}}, {kFirstSpare, {20'000}});
  const Extent b(State::remapped, {{100}, {8}}, {kFirstSpare, {20'100}});
  const Extent retired(State::retired, {{0}, {4}}, {kFirstSpare, {20'200}});
  ASSERT_TRUE(table.apply({{}, {a, b, retired}}));
  const std::vector<Extent> before = table.entries();
  for (const std::uint64_t place : {19'993U, 20'007U, 20'099U, 20'107U, 20'203U}) {
    const Extent twice(State::remapped, {{500}, {8}}, {kFirstSpare, {place}});
    // Also where the same change gives up another place, or one that is taken again.
    EXPECT_FALSE(table.apply({{}, {twice}})) << place;
    EXPECT_FALSE(table.apply({{}, {Extent(State::lost, {{900}, {1}}), twice}})) << place;
    EXPECT_EQ(table.entries(), before);
  }
  EXPECT_TRUE(table.apply({{a}, {Extent(State::remapped, {{500}, {8}}, {kFirstSpare, {20'004}})}}));
  EXPECT_FALSE(
      table.apply({{b}, {Extent(State::remapped, {{600}, {8}}, {kFirstSpare, {20'010}})}}));
  EXPECT_TRUE(table.apply({{b}, {Extent(State::remapped, {{600}, {8}}, {kFirstSpare, {20'012}})}}));
}

TEST(TableImage, TheSameSectorOfAnotherSpareIsAnotherPlace) {
  TableImage table;
  const Extent here(State::remapped, {{0}, {8}}, {kFirstSpare, {20'000}});
  const Extent there(State::remapped, {{100}, {8}}, {SpareIndex{1}, {20'000}});
  const Extent retired(State::retired, {{0}, {4}}, {kFirstSpare, {20'100}});
  const Extent retired_there(State::retired, {{0}, {4}}, {SpareIndex{1}, {20'100}});
  EXPECT_TRUE(table.apply({{}, {here, there, retired, retired_there}}));
  EXPECT_TRUE(table.apply({{retired_there}, {}}));
  EXPECT_EQ(table.used(), 3U);
}

TEST(Extent, NeighboursOnTwoSparesDoNotJoin) {
  const Extent here(State::remapped, {{0}, {8}}, {kFirstSpare, {20'000}});
  EXPECT_TRUE(here.joins(Extent(State::remapped, {{8}, {8}}, {kFirstSpare, {20'008}})));
  EXPECT_FALSE(here.joins(Extent(State::remapped, {{8}, {8}}, {SpareIndex{1}, {20'008}})));
}

TEST(Extent, SlicesKeepTheDataWhereItIs) {
  const Extent extent(State::remapped, {{100}, {10}}, {kFirstSpare, {5'000}});
  const Extent middle = extent.slice({{103}, {2}});
  EXPECT_EQ(middle.main(), (SectorRange{{103}, {2}}));
  EXPECT_EQ(middle.spare(), (SpareRange{{kFirstSpare, {5'003}}, {2}}));
  EXPECT_TRUE(extent.slice({{100}, {3}}).joins(middle));
  EXPECT_EQ(extent.slice({{100}, {3}}).joined(middle), extent.slice({{100}, {5}}));
  EXPECT_FALSE(middle.joins(extent.slice({{106}, {2}})));
}

}  // namespace
}  // namespace dmremap::format
