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

namespace dmremap::format {

inline constexpr std::size_t kBlockHeaderBytes = 16;
inline constexpr std::size_t kPayloadBytes = kBlockBytes - kBlockHeaderBytes;
inline constexpr std::size_t kStreamBytes = kBodyBlocks * kPayloadBytes;
inline constexpr std::size_t kHeaderBytes = 768;
inline constexpr std::size_t kEntryBytes = 24;

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

// The table as it lies on disk: entries keep their place from commit to commit, so that a change
// touches few blocks. Unused places hold no entry.
class TableImage {
 public:
  // Makes this image hold exactly `extents` and `retired`, moving none that were there before.
  void update(const std::vector<Extent>& extents, const std::vector<Extent>& retired);

  // In disk order; state good marks an unused place.
  [[nodiscard]] const std::vector<Extent>& entries() const { return entries_; }
  static TableImage of(std::vector<Extent> entries) { return TableImage(std::move(entries)); }
  TableImage() = default;

 private:
  explicit TableImage(std::vector<Extent> entries) : entries_(std::move(entries)) {}
  std::vector<Extent> entries_;
};

// How many entries fit beside the other sections. The optional ones that this version knows give
// way to entries, so they do not count.
[[nodiscard]] std::size_t table_capacity(const std::vector<UnknownSection>& unknown);

// Whole blocks, kBodyBlocks at most. Requires table.entries().size() <= table_capacity(unknown) and
// texts within their limits (longer fingerprint texts are cut). `content.extents` and `retired` are
// not looked at: `table` holds them. A copy record that names another commit is left out, and so
// are optional sections for which there is no room.
[[nodiscard]] std::vector<std::byte> encode_body(const BodyName& name, const Content& content,
                                                 const TableImage& table);

struct DecodedBody {
  BodyName name;
  Content content;
  TableImage table;
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
