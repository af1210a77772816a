// SPDX-License-Identifier: GPL-2.0-or-later
#include <cerrno>

#include <gtest/gtest.h>

#include "base/checksum.hpp"
#include "base/clock.hpp"
#include "base/endian.hpp"
#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Checksum, Crc32cMatchesTheCheckValueOfRfc3720) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283U);
  const std::array<std::byte, 32> zeros{};
  EXPECT_EQ(crc32c(zeros), 0x8a9136aaU);
}

TEST(Checksum, OfTwoTextsJoinedNeedsNotBeTakenAgain) {
  std::vector<std::byte> text(9'000);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<std::byte>(i * i >> 3U);
  const std::span<const std::byte> all(text);
  for (const std::size_t first : {0U, 1U, 4'080U, 4'904U, 8'999U, 9'000U}) {
    const auto second = all.subspan(first);
    EXPECT_EQ(Crc32cJoin(second.size())(crc32c(all.first(first)), crc32c(second)), crc32c(all))
        << first;
  }
}

TEST(Checksum, Sha256MatchesTheCheckValueOfFips180) {
  const Sha256 digest = sha256(bytes_of("abc"));
  EXPECT_EQ(std::to_integer<int>(digest[0]), 0xba);
  EXPECT_EQ(std::to_integer<int>(digest[31]), 0xad);
}

TEST(Endian, LowestByteFirst) {
  std::array<std::byte, 8> buffer{};
  store_le<std::uint32_t>(buffer, 2, 0x11223344);
  EXPECT_EQ(std::to_integer<int>(buffer[2]), 0x44);
  EXPECT_EQ(std::to_integer<int>(buffer[5]), 0x11);
  EXPECT_EQ(load_le<std::uint32_t>(buffer, 2), 0x11223344U);
}

TEST(Uuid, TextFormRoundTrips) {
  const Uuid uuid = system_random().uuid();
  EXPECT_EQ(parse_uuid(to_string(uuid)), uuid);
  EXPECT_EQ(to_string(uuid)[14], '4');
  EXPECT_FALSE(parse_uuid("nonsense"));
  EXPECT_FALSE(parse_uuid("0123456789abcdef0123456789abcdef0123"));
  const CommitId id = system_random().commit_id();
  EXPECT_EQ(parse_commit_id(to_string(id)), id);
  EXPECT_FALSE(parse_commit_id("12"));
}

TEST(SectorRange, IntersectIsEmptyWhereRangesOnlyTouch) {
  const SectorRange a{{0}, {8}};
  EXPECT_TRUE(a.intersect({{8}, {8}}).empty());
  EXPECT_FALSE(a.overlaps({{8}, {8}}));
  EXPECT_EQ(a.intersect({{4}, {100}}), (SectorRange{{4}, {4}}));
}

TEST(Error, OneLineSaysWhereWhatAndHint) {
  const Error e = fail_errno(ENOENT, "open", "/dev/none", "check the name").value();
  EXPECT_EQ(e.message(), "/dev/none: cannot open: No such file or directory; check the name");
  EXPECT_EQ(e.code, ErrorCode::no_such_device);
}

TEST(Error, EveryCodeHasANameAndAClass) {
#define CHECK_CODE(id, name, error_class)  \
  EXPECT_EQ(name_of(ErrorCode::id), name); \
  EXPECT_EQ(class_of(ErrorCode::id), ErrorClass::error_class);
  DMREMAP_ERROR_CODES(CHECK_CODE)
#undef CHECK_CODE
}

TEST(Clock, FormatsTheEpoch) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00Z");
}

}  // namespace
}  // namespace dmremap
