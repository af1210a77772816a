// SPDX-License-Identifier: GPL-2.0-or-later
// The body of a slot: the content of one commit as checksummed blocks and sections.
//
//   block (4096 bytes) = CRC32C of the other 4092 bytes (4), index in the body (4),
//                        first 8 bytes of the set UUID (8), payload (4080)
//   stream             = the payloads one after another; sections lie in the stream
//   stream [0, 768)    = header: the name of the commit, which must agree with the seal's, and the
//                        directory
//          [768, 4080)    health, so that everything that changes with every commit shares the
//          first
//                        block
//          [4080, ...)    identity, configuration, the size of a spare that was grown, optional
//                         sections, unknown ones
//          table          from the next block boundary: 170 entries of 24 bytes a block
//
// So a commit that adds one remap changes block 0 and one or two table blocks: with the seal at
// most 16 KiB a copy.
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "format/content.hpp"
#include "format/layout.hpp"
#include "format/table_image.hpp"

namespace dmremap::format {

inline constexpr std::size_t kStreamBytes = kBodyBlocks * kPayloadBytes;
inline constexpr std::size_t kHeaderBytes = 768;

// The name of the commit that a body belongs to. Its fields are those of the seal.
struct BodyName {
  Uuid set_uuid;
  std::uint64_t sequence = 0;
  std::uint64_t term = 0;
  CommitId commit;
  CommitId parent;
  std::uint64_t wall_ns = 0;

  bool operator==(const BodyName&) const = default;
};

// How many table entries fit beside the other sections. Optional sections that this version knows
// give way to entries, so only the unknown ones count, and the size of a spare that was grown.
[[nodiscard]] std::size_t table_capacity(const std::vector<UnknownSection>& unknown,
                                         bool is_grown = false);

// True if all sections that are never left out have a place in a slot, were the table empty. What
// was decoded has; only a section that is added to many unknown ones may have none.
[[nodiscard]] bool sections_fit(const Records& records);

// The blocks of one body, at most kBodyBlocks: first those of the records, then those of the table.
struct EncodedBody {
  BodyBlocks blocks;
  std::size_t table_block = 0;  // the first one of the table
  std::uint32_t crc = 0;        // CRC32C of all bytes, as the seal names it

  // All blocks one after another.
  [[nodiscard]] std::vector<std::byte> bytes() const;
};

// Encodes the records, and the part of the table that changed since `table` was last encoded.
// Requires table.entries().size() <= the table's capacity and texts within their limits
// (longer fingerprint texts are cut). A copy record that names another commit is left out, and so
// are optional sections for which there is no room.
[[nodiscard]] EncodedBody encode_body(const BodyName& name, const Records& records,
                                      TableImage& table);

// The bytes of a body whose entries lie in the order of `content`, even if they contradict each
// other. For tests, fuzzers and other code that makes a body by hand.
[[nodiscard]] std::vector<std::byte> encoded_body(const BodyName& name, const Content& content);

// True if the records of `body` can be decoded again, as those of the set that it names. A body
// that would not be read back as it was meant must not be written.
[[nodiscard]] bool records_decode(const EncodedBody& body);

// True if everything that `extents` name lies within the devices of `records`: on main, and on the
// spare outside of the copies of the metadata.
[[nodiscard]] bool extents_fit(const Records& records, std::span<const Extent> extents);

// A body that was decoded. `entries` is the table in the order on disk, in which state good marks
// an unused place; `content` has the same entries sorted.
struct DecodedBody {
  BodyName name;
  Content content;
  std::vector<Extent> entries;
};

// Why a body cannot be decoded.
enum class BodyFault {
  block,     // a block's checksum, index or set
  header,    // the header does not make sense
  section,   // a section's checksum, place or contents
  table,     // entries overlap or are out of bounds
  required,  // it needs a section that this version does not know: a newer version wrote it
};

// Any bytes give a body or a fault. `blocks` are those that the seal says are in use.
[[nodiscard]] std::variant<DecodedBody, BodyFault> decode_body(std::span<const std::byte> blocks);

}  // namespace dmremap::format
