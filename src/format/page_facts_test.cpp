// SPDX-License-Identifier: GPL-2.0-or-later
// docs/on-disk-format.md against the code: where copies, slots, blocks and sections lie, the names
// of verdicts, and the limits.
#include <cstring>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/checksum.hpp"
#include "base/endian.hpp"
#include "format/body.hpp"
#include "format/grown_spare.hpp"
#include "format/policy_section.hpp"
#include "format/sections.hpp"
#include "format/verdict.hpp"
#include "rig/format_page.hpp"

namespace dmremap::format {
namespace {

using namespace page;

bool says(const std::string& heading, const std::string& text) {
  return chapter(heading).text.find(text) != std::string::npos;
}

TEST(FormatPage, Copies) {
  const auto table = chapter("Eight copies").table;
  ASSERT_EQ(table.size(), kCopies);
  for (std::size_t i = 0; i < kNearCopies; ++i) {
    EXPECT_EQ(table[i],
              (Cells{std::to_string(i), std::to_string(kNearPositions[i].value), "near"}));
  }
  for (std::size_t i = kNearCopies; i < kCopies; ++i) EXPECT_EQ(table[i][2], "far");
  std::string positions;
  for (const Sector at : copy_positions(kMinSpareSize)) {
    positions += fmt::format("{}{}", positions.empty() ? "" : ", ", at.value);
  }
  positions.replace(positions.rfind(", "), 2, " and ");
  EXPECT_TRUE(says("Eight copies", fmt::format("copies at {}.", positions))) << positions;
}

// last and step of the page, by its words.
TEST(FormatPage, FarCopies) {
  for (const std::uint64_t size : {32'768ULL, 32'769ULL, 262'144ULL, 999'999'999ULL, 1ULL << 40U}) {
    const std::uint64_t last = align_down(size - 1024, 2048);
    const std::uint64_t step = (last - 9216) / 3;
    const CopyPositions at = copy_positions({size});
    EXPECT_EQ(at[5].value, align_down(9216 + step, 2048));
    EXPECT_EQ(at[6].value, align_down(9216 + 2 * step, 2048));
    EXPECT_EQ(at[7].value, last);
  }
}

TEST(FormatPage, Slots) {
  const auto rows = rows_of("A copy: two slots");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].offset, 0U);
  EXPECT_EQ(rows[0].size, kBlockBytes);
  EXPECT_EQ(rows[1].offset, kBlockBytes);
  EXPECT_EQ(rows[1].size, kBodyBytes);
  EXPECT_EQ(rows[1].end(), kSlotBytes);
}

Content some_content() {
  Content content;
  content.identity.name = "a";
  content.identity.set_uuid.bytes.fill(std::byte{0x11});
  content.identity.spare.size = kMinSpareSize;
  content.identity.main.size = {100};
  content.extents = {Extent(State::lost, {{64}, {8}})};
  return content;
}

BodyName some_name() {
  BodyName name;
  name.set_uuid.bytes.fill(std::byte{0x11});
  name.sequence = 2;
  return name;
}

Bytes body_of(const BodyName& name, const Content& content = some_content()) {
  return encoded_body(name, content);
}

// By the page's row for the payload.
Bytes stream_of(std::span<const std::byte> blocks) {
  const Row payload = row_of("A body block", "payload");
  Bytes out;
  for (std::size_t at = 0; at < blocks.size(); at += kBlockBytes) {
    const auto part = blocks.subspan(at + payload.offset, payload.size);
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

TEST(FormatPage, BodyBlock) {
  const std::string heading = "A body block";
  check_tiled(heading, rows_of(heading), kBlockBytes);
  const Bytes body = body_of(some_name());
  ASSERT_GE(body.size(), 3 * kBlockBytes);
  for (std::size_t i = 0; i < body.size() / kBlockBytes; ++i) {
    const auto block = std::span(body).subspan(i * kBlockBytes, kBlockBytes);
    check_checksum(heading, row_of(heading, "CRC32C of bytes"), block);
    const Row index = row_of(heading, "index of the block");
    EXPECT_EQ(index.size, 4U);
    EXPECT_EQ(load_le<std::uint32_t>(block, index.offset), i);
    const Row tag = row_of(heading, "first 8 bytes of the set's UUID");
    EXPECT_EQ(tag.size, 8U);
    EXPECT_EQ(load_le<std::uint64_t>(block, tag.offset), 0x1111'1111'1111'1111U);
  }
}

template <typename Id>
void fill(Id& id) {
  id.bytes.fill(std::byte{0xff});
}

TEST(FormatPage, StreamHeader) {
  constexpr auto kAllOnes = ~std::uint64_t{0};
  const std::string heading = "The stream's header";
  check_structure(
      Structure<BodyName>{heading,
                          kHeaderBytes,
                          some_name(),
                          [](const BodyName& name) {
                            Bytes stream = stream_of(body_of(name));
                            stream.resize(kHeaderBytes);
                            return stream;
                          },
                          {{"UUID of the set", [](BodyName& n) { fill(n.set_uuid); }},
                           {"sequence", [](BodyName& n) { n.sequence = kAllOnes; }},
                           {"term", [](BodyName& n) { n.term = kAllOnes; }},
                           {"commit id of the parent", [](BodyName& n) { fill(n.parent); }},
                           {"commit id", [](BodyName& n) { fill(n.commit); }},
                           {"timestamp", [](BodyName& n) { n.wall_ns = kAllOnes; }}},
                          {"magic", "number of sections", "number of blocks", "directory"}});
  const Bytes body = body_of(some_name());
  const Bytes stream = stream_of(body);
  const Row magic = row_of(heading, "magic: `dmr-body`");
  EXPECT_EQ(std::memcmp(stream.data() + magic.offset, "dmr-body", magic.size), 0);
  const auto number = [&](std::string_view row) {
    EXPECT_EQ(row_of(heading, row).size, 4U);
    return load_le<std::uint32_t>(stream, row_of(heading, row).offset);
  };
  EXPECT_EQ(number("number of sections"), 4U);
  EXPECT_EQ(number("number of blocks"), body.size() / kBlockBytes);
}

TEST(FormatPage, WhatIsZeroInTheHeaderIsChecked) {
  const Bytes good = body_of(some_name());
  ASSERT_TRUE(std::holds_alternative<DecodedBody>(decode_body(good)));
  const Row zero = row_of("The stream's header", "zero");
  const Row directory = row_of("The stream's header", "directory");
  // The last: a place of the directory that is not used.
  for (const std::size_t at : {zero.offset, zero.end() - 1, directory.end() - 1}) {
    Bytes bad = good;
    bad[kBlockHeaderBytes + at] = std::byte{1};
    store_le(std::span(bad), 0, crc32c(std::span(bad).subspan(4, kBlockBytes - 4)));
    EXPECT_TRUE(std::holds_alternative<BodyFault>(decode_body(bad))) << "byte " << at;
  }
}

// The directory by its rows says what the page's list of sections says.
TEST(FormatPage, SectionsAndDirectory) {
  const std::string heading = "A directory entry";
  const auto rows = rows_of(heading);
  const std::size_t entry_bytes = rows.back().end();
  check_tiled(heading, rows, entry_bytes);
  const Row directory = row_of("The stream's header", "directory: 16 entries of 32 bytes");
  EXPECT_EQ(directory.size, 16 * entry_bytes);
  const Bytes stream = stream_of(body_of(some_name()));
  const auto sections = chapter("The sections").table;
  ASSERT_EQ(sections.size(), 4U);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const auto entry = std::span(stream).subspan(directory.offset + i * entry_bytes, entry_bytes);
    const auto number = [&](std::string_view start) -> std::uint64_t {
      const Row row = row_of(heading, start);
      return row.size == 2 ? load_le<std::uint16_t>(entry, row.offset)
                           : load_le<std::uint32_t>(entry, row.offset);
    };
    const bool is_table = sections[i][1] == "table";
    const std::uint64_t length = is_table ? kEntryBytes : std::stoul(sections[i][3]);
    EXPECT_EQ(number("type"), std::stoul(sections[i][0]));
    EXPECT_EQ(number("flags: bit 0 = required"), 1U);
    EXPECT_EQ(number("offset in the stream"), std::stoul(sections[i][2]));
    EXPECT_EQ(number("length"), length);
    EXPECT_EQ(number("CRC32C of the section"),
              crc32c(std::span(stream).subspan(std::stoul(sections[i][2]), length)));
    if (is_table) {
      EXPECT_EQ(sections[i][3], fmt::format("{} an entry", kEntryBytes));
    }
  }
}

TEST(FormatPage, ThePolicy) {
  const auto wait = row_of("The policy", "seconds a boot waits");
  const auto zero = row_of("The policy", "zero");
  std::vector<std::byte> bytes(kPolicySectionBytes);
  EXPECT_EQ(zero.end(), bytes.size());
  pack_policy_section({kBootWaitS.most}, bytes);
  EXPECT_EQ(load_le<std::uint32_t>(bytes, wait.offset), kBootWaitS.most);
  EXPECT_TRUE(wait.field.ends_with(fmt::format("; {} to {}", kBootWaitS.least, kBootWaitS.most)));
  ASSERT_TRUE(unpack_policy_section(bytes));
  for (const std::size_t at : {zero.offset, zero.end() - 1}) {
    std::vector<std::byte> bad = bytes;
    bad[at] = std::byte{1};
    EXPECT_FALSE(unpack_policy_section(bad)) << at;
  }
}

TEST(FormatPage, UnknownSectionsFollowTheConfiguration) {
  Content content = some_content();
  content.unknown.push_back({99, 0, Bytes(3000, std::byte{7})});
  const Bytes stream = stream_of(body_of(some_name(), content));
  const auto configuration = chapter("The sections").table[1];
  const std::size_t at = std::stoul(configuration[2]) + std::stoul(configuration[3]);
  EXPECT_EQ(stream[at - 1], std::byte{0});
  EXPECT_EQ(stream[at], std::byte{7});
  // The table moves to the next multiple of 4080.
  EXPECT_EQ(load_le<std::uint64_t>(stream, 3 * kPayloadBytes), 64 | 8ULL << 40U);
}

TEST(FormatPage, ASpareThatWasGrown) {
  const std::string heading = "A spare that was grown";
  EXPECT_TRUE(says(heading, fmt::format("section of type {}, {} bytes long", kGrownSpareType,
                                        kGrownSpareBytes)));
  EXPECT_TRUE(says(heading, "It has the flag *required*"));
  check_tiled(heading, rows_of(heading), kGrownSpareBytes);
  constexpr std::uint64_t kSize = 0x0102030405;
  Bytes bytes(kGrownSpareBytes);
  pack_grown_spare({kSize}, bytes);
  EXPECT_EQ(load_le<std::uint64_t>(bytes, row_of(heading, "size of the spare").offset), kSize);
  const Row zero = row_of(heading, "zero");
  for (const std::size_t at : {zero.offset, zero.end() - 1}) {
    Bytes bad = bytes;
    bad[at] = std::byte{1};
    EXPECT_FALSE(unpack_grown_spare(bad)) << at;
  }
}

TEST(FormatPage, VerdictsInTheirOrder) {
  const auto table = chapter("A verdict on a slot").table;
  ASSERT_EQ(table.size(), 8U);
  for (std::size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(table[i][0], name_of(static_cast<Verdict>(i)));
  }
}

TEST(FormatPage, Limits) {
  const std::string heading = "Limits and downsides";
  EXPECT_EQ(kMaxSector + 1, 1ULL << 40U);
  EXPECT_TRUE(says(heading, "2^40 sectors (512 TiB)"));
  EXPECT_EQ(kMaxExtentSectors, (1ULL << 24U) - 1);
  EXPECT_TRUE(says(heading, "2^24 - 1 sectors"));
  EXPECT_EQ(table_capacity(std::vector<UnknownSection>{}), 10'370U);
  EXPECT_TRUE(says(heading, "10,370 entries: 61 blocks of 170"));
  EXPECT_TRUE(says(heading, fmt::format("{} events of {} bytes", kStoredEvents, kEventTextBytes)));
  EXPECT_EQ(kCopies * kCopySectors.bytes(), 4 * kMiB);
  EXPECT_TRUE(says(heading, "4 MiB of every spare"));
}

}  // namespace
}  // namespace dmremap::format
