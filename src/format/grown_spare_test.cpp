// SPDX-License-Identifier: GPL-2.0-or-later
// The size of a spare that was grown: where it counts, what it allows, and that a program that does
// not know it must not use the set.
#include "format/grown_spare.hpp"

#include <gtest/gtest.h>

#include "base/checksum.hpp"
#include "base/endian.hpp"
#include "format/body.hpp"

namespace dmremap::format {
namespace {

constexpr SectorCount kAtCreate{32'768};
constexpr SectorCount kGrown{65'536};
constexpr std::size_t kFirstEntry =
    kBlockHeaderBytes + 256;  // of the directory, in the first block
constexpr std::size_t kEntry = 32;

BodyName name_of_commit() {
  BodyName out;
  out.set_uuid.bytes[0] = std::byte{1};
  out.sequence = 7;
  out.term = 3;
  return out;
}

Content grown(std::optional<SectorCount> size = kGrown) {
  Content out;
  out.identity.name = "grown";
  out.identity.set_uuid = name_of_commit().set_uuid;
  out.identity.main.size = {1U << 20U};
  out.identity.spare.size = kAtCreate;
  out.grown_spare = size;
  return out;
}

Extent remapped_to(std::uint64_t spare) {
  return {State::remapped, {{64}, {8}}, {kFirstSpare, {spare}}};
}

std::variant<DecodedBody, BodyFault> decoded(const std::vector<std::byte>& body) {
  return decode_body(body);
}

BodyFault fault_of(const std::vector<std::byte>& body) {
  const auto out = decoded(body);
  EXPECT_TRUE(std::holds_alternative<BodyFault>(out));
  return std::holds_alternative<BodyFault>(out) ? std::get<BodyFault>(out) : BodyFault::block;
}

// The place of the directory entry of the section, in the body's bytes.
std::size_t entry_of(const std::vector<std::byte>& body) {
  for (std::size_t at = kFirstEntry;; at += kEntry) {
    if (load_le<std::uint16_t>(body, at) == kGrownSpareType) return at;
  }
}

void seal_first_block(std::vector<std::byte>& body) {
  const std::span block = std::span(body).first(kBlockBytes);
  store_le(block, 0, crc32c(block.subspan(4)));
}

TEST(GrownSpare, IsThereAfterACommitAndCarriesOn) {
  const Content content = grown();
  const auto out = decoded(encoded_body(name_of_commit(), content));
  ASSERT_TRUE(std::holds_alternative<DecodedBody>(out));
  EXPECT_EQ(std::get<DecodedBody>(out).content, content);
  EXPECT_EQ(usable_spare_size(content), kGrown);
  EXPECT_EQ(usable_spare_size(grown(std::nullopt)), kAtCreate);
}

TEST(GrownSpare, DataMayLieInTheNewRoomAndNotBehindIt) {
  Content content = grown();
  content.extents = {remapped_to(kAtCreate.value - 4)};  // over the old end
  EXPECT_TRUE(extents_fit(content, content.extents));
  content.extents = {remapped_to(kGrown.value - 8)};
  EXPECT_TRUE(
      std::holds_alternative<DecodedBody>(decoded(encoded_body(name_of_commit(), content))));
  content.extents = {remapped_to(kGrown.value - 7)};
  EXPECT_EQ(fault_of(encoded_body(name_of_commit(), content)), BodyFault::table);
  content = grown(std::nullopt);
  content.extents = {remapped_to(kGrown.value - 8)};
  EXPECT_EQ(fault_of(encoded_body(name_of_commit(), content)), BodyFault::table);
}

TEST(GrownSpare, TheCopiesStayReserved) {
  Content content = grown();
  for (const Sector copy : copy_positions(kAtCreate)) {
    content.extents = {remapped_to(copy.value)};
    EXPECT_FALSE(extents_fit(content, content.extents)) << copy.value;
  }
  // So is where its last one would lie, had it been made with that size: signposts lie there.
  content.extents = {remapped_to(copy_positions(kGrown).back().value)};
  EXPECT_FALSE(extents_fit(content, content.extents));
  content.extents = {remapped_to(copy_positions(kGrown)[6].value)};
  EXPECT_TRUE(extents_fit(content, content.extents));
}

TEST(GrownSpare, AProgramThatDoesNotKnowItCallsItANewerVersion) {
  std::vector<std::byte> body = encoded_body(name_of_commit(), grown());
  const std::size_t entry = entry_of(body);
  EXPECT_EQ(load_le<std::uint16_t>(body, entry + 2), 1U) << "required";
  // To this program, which knows the type 13, an unknown one is what 13 is to those before it.
  store_le(std::span(body), entry, std::uint16_t{99});
  seal_first_block(body);
  EXPECT_EQ(fault_of(body), BodyFault::required);
}

TEST(GrownSpare, WithoutTheFlagItIsDamage) {
  std::vector<std::byte> body = encoded_body(name_of_commit(), grown());
  store_le(std::span(body), entry_of(body) + 2, std::uint16_t{0});
  seal_first_block(body);
  EXPECT_EQ(fault_of(body), BodyFault::header);
}

TEST(GrownSpare, OneThatDidNotGrowIsDamage) {
  for (const SectorCount size : {kAtCreate, SectorCount{kAtCreate.value - 8}, SectorCount{0}}) {
    EXPECT_EQ(fault_of(encoded_body(name_of_commit(), grown(size))), BodyFault::section);
  }
}

TEST(GrownSpare, BytesThatAreNoSuchSectionAreNone) {
  std::vector<std::byte> bytes(kGrownSpareBytes);
  pack_grown_spare(kGrown, bytes);
  EXPECT_EQ(unpack_grown_spare(bytes), kGrown);
  EXPECT_FALSE(unpack_grown_spare(std::span(bytes).first(kGrownSpareBytes - 1)));
  for (std::size_t at = 8; at < kGrownSpareBytes; ++at) {
    std::vector<std::byte> bad = bytes;
    bad[at] = std::byte{1};
    EXPECT_FALSE(unpack_grown_spare(bad)) << at;
  }
  store_le(std::span(bytes), 0, (std::uint64_t{1} << 40U) + 1);
  EXPECT_FALSE(unpack_grown_spare(bytes)) << "beyond what an entry can name";
}

TEST(GrownSpare, CostsNoEntryBesideTheSectionsOfThisVersion) {
  EXPECT_EQ(table_capacity({}, true), table_capacity({}));
  const std::vector<UnknownSection> kept{{10, 0, std::vector<std::byte>(1152)},
                                         {11, 0, std::vector<std::byte>(3904)},
                                         {12, 0, std::vector<std::byte>(320)}};
  EXPECT_EQ(table_capacity(kept, true), table_capacity(kept));
}

TEST(GrownSpare, HasNoPlaceBesideAsManySectionsAsThereCanBe) {
  Content content = grown(std::nullopt);
  content.unknown.assign(12, UnknownSection{99, 0, {}});
  EXPECT_TRUE(sections_fit(content));
  content.grown_spare = kGrown;
  EXPECT_FALSE(sections_fit(content));
}

TEST(GrownSpare, HasNoPlaceInASlotThatOthersFillToTheLastByte) {
  Content content = grown(std::nullopt);
  const std::size_t rest = kStreamBytes - kPayloadBytes - 1536 - 256;
  content.unknown = {{99, 0, std::vector<std::byte>(rest)}};
  EXPECT_TRUE(sections_fit(content));
  content.grown_spare = kGrown;
  EXPECT_FALSE(sections_fit(content));
}

TEST(GrownSpare, GrowsToSizesAtWhichSignpostsLieInTheNewRoom) {
  for (std::uint64_t made = 32'768; made < 38'000; made += 104) {
    for (std::uint64_t available = made; available < made + 9'000; available += 88) {
      const SectorCount size = largest_growth({made}, {available});
      ASSERT_LE(size.value, available);
      if (size.value <= made) continue;
      ASSERT_TRUE(is_grown_size({made}, size)) << made << " " << available;
      ASSERT_LE(available - size.value, 2'048U) << "most of the room is taken";
      // And once more.
      const SectorCount again = largest_growth(size, {size.value + 5'000});
      ASSERT_TRUE(is_grown_size({made}, again));
      const SectorRange signposts = signpost_area({made}, again);
      ASSERT_TRUE(signposts.empty() || signposts == signpost_area({made}, size) ||
                  signposts.first.value >= size.value);
    }
  }
}

TEST(GrownSpare, ASizeAtWhichSignpostsWouldLieOnDataIsDamage) {
  // The last copy of 33,000 sectors ends at 31,744, that of 34,000 would begin at 32,768.
  EXPECT_FALSE(is_grown_size({33'000}, {34'000}));
  Content content = grown(SectorCount{34'000});
  content.identity.spare.size = {33'000};
  EXPECT_EQ(fault_of(encoded_body(name_of_commit(), content)), BodyFault::section);
}

TEST(GrownSpare, TheTextOfItsEventFits) {
  const SectorCount largest{(std::uint64_t{1023} << 31U) + (std::uint64_t{9} << 28U)};
  EXPECT_LE(growth_text(largest, largest).size(), kEventTextBytes);
  EXPECT_EQ(growth_text(kAtCreate, kGrown), "32 MiB, before 16 MiB");
}

}  // namespace
}  // namespace dmremap::format
