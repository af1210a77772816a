// SPDX-License-Identifier: GPL-2.0-or-later
// The body of a slot: the content of one commit as checksummed blocks and sections.
//
//   block (4096 bytes) = CRC32C of the other 4092 bytes (4), index in the body (4),
//                        first 8 bytes of the set UUID (8), payload (4080)
//   stream             = the payloads one after another; sections lie in the stream
//   stream [0, 768)    = header: which commit this is (again: the seal must agree), the directory
//          [768, 4080)    health: what changes with every commit shares the first block
//          [4080, ...)    identity, configuration, optional sections, unknown ones
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

// Which commit a body belongs to; the same words as in its seal.
struct BodyName {
  Uuid set_uuid;
  std::uint64_t sequence = 0;
  std::uint64_t term = 0;
  CommitId commit;
  CommitId parent;
  std::uint64_t wall_ns = 0;

  bool operator==(const BodyName&) const = default;
};

// How many entries fit beside the other sections. The optional ones that this version knows give
// way to entries, so they do not count.
[[nodiscard]] std::size_t table_capacity(const std::vector<UnknownSection>& unknown);

// The blocks of one body, kBodyBlocks at most: those of the records first, then those of the table.
struct EncodedBody {
  BodyBlocks blocks;
  std::size_t table_block = 0;  // the first one of the table
  std::uint32_t crc = 0;        // CRC32C of all bytes, as the seal names it

  // All blocks one after another.
  [[nodiscard]] std::vector<std::byte> bytes() const;
};

// Encodes the records, and of the table what changed since `table` was last encoded. Requires
// table.entries().size() <= table_capacity(records.unknown) and texts within their limits (longer
// fingerprint texts are cut). A copy record that names another commit is left out, and so are
// optional sections for which there is no room.
[[nodiscard]] EncodedBody encode_body(const BodyName& name, const Records& records,
                                      TableImage& table);

// The bytes of a body whose entries lie as `content` lists them, whether or not they contradict
// each other: for tests, fuzzers and whoever else makes a body by hand.
[[nodiscard]] std::vector<std::byte> encoded_body(const BodyName& name, const Content& content);

// Can the records of `body` be decoded again, as those of the set that it names? What would not be
// read back as it was meant must not be written.
[[nodiscard]] bool records_decode(const EncodedBody& body);

// Does all that `extents` claim lie where the identity says that there is something: on main, and
// on the spare outside of the copies of the metadata?
[[nodiscard]] bool extents_fit(const Identity& identity, std::span<const Extent> extents);

struct DecodedBody {
  BodyName name;
  Content content;
  std::vector<Extent> entries;  // of the table in disk order; state good marks an unused place
};

enum class BodyFault {
  block,     // a block's checksum, index or set
  header,    // the header does not make sense
  section,   // a section's checksum, place or contents
  table,     // entries overlap or are out of bounds
  required,  // a section this version does not know but must: written by a newer one
};

// Total: any bytes give a body or a fault. `blocks` is what the seal says is in use.
[[nodiscard]] std::variant<DecodedBody, BodyFault> decode_body(std::span<const std::byte> blocks);

}  // namespace dmremap::format
