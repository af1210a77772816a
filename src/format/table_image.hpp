// SPDX-License-Identifier: GPL-2.0-or-later
// The table as it lies on disk: entries that keep their places from commit to commit, and the
// blocks that hold them. A change touches only the blocks of the entries that changed; the other
// blocks are neither encoded nor hashed again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "format/extent.hpp"
#include "format/layout.hpp"

namespace dmremap::format {

inline constexpr std::size_t kBlockHeaderBytes = 16;
inline constexpr std::size_t kPayloadBytes = kBlockBytes - kBlockHeaderBytes;
inline constexpr std::size_t kEntryBytes = 24;
inline constexpr std::size_t kBlockEntries = kPayloadBytes / kEntryBytes;
static_assert(kPayloadBytes % kEntryBytes == 0);

// One block of a body with its checksums, immutable: commits share those that did not change.
class BodyBlock {
 public:
  // `payload` is kPayloadBytes long; `set_tag` the first 8 bytes of the set's UUID.
  BodyBlock(std::size_t index, std::span<const std::byte, 8> set_tag,
            std::span<const std::byte> payload);
  // A block as it was read from a device.
  explicit BodyBlock(std::span<const std::byte> bytes);

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_.span(); }
  [[nodiscard]] std::span<const std::byte> payload() const {
    return bytes().subspan(kBlockHeaderBytes);
  }
  // CRC32C of all bytes, and of the payload.
  [[nodiscard]] std::uint32_t crc() const { return crc_; }
  [[nodiscard]] std::uint32_t payload_crc() const { return payload_crc_; }

 private:
  AlignedBuffer bytes_;
  std::uint32_t crc_;
  std::uint32_t payload_crc_;
};
using BodyBlocks = std::vector<std::shared_ptr<const BodyBlock>>;

// The difference between two tables: the entries to remove and then to add.
struct TableChange {
  std::vector<Extent> removed;
  std::vector<Extent> added;
};

// The entries of one table and their encoded blocks. `entries_` is indexed by place; `unused_` has
// the free places and `places_` finds the place of an entry by where the entry begins. `spare_` has
// the runs of spare sectors that entries name, to refuse a second claim. `blocks_` are the blocks
// as they were encoded for a body in which the table begins at block `first_block_`; a null pointer
// marks one that changed since.
//
// Not thread-safe.
class TableImage {
 public:
  TableImage() = default;
  // `entries` in disk order; state good marks an unused place.
  explicit TableImage(std::vector<Extent> entries);

  // The change after which the entries are exactly `extents` and `retired`.
  [[nodiscard]] TableChange change_to(std::span<const Extent> extents,
                                      std::span<const Extent> retired) const;
  // Applies a change. Requires that every removed extent is an entry. An added extent that begins
  // where a removed one did takes its place. The others go to the lowest unused places, in their
  // order, so that equal histories give equal images. Returns false and changes nothing if two
  // entries would name the same sector of the spare.
  [[nodiscard]] bool apply(const TableChange& change);

  // The entries in disk order, up to the last one in use.
  [[nodiscard]] const std::vector<Extent>& entries() const { return entries_; }
  // The number of entries in use.
  [[nodiscard]] std::size_t used() const { return entries_.size() - unused_.size(); }

  // The blocks that hold the entries, if the first of them is block `first` of a body. Only blocks
  // that changed since the last call are encoded.
  [[nodiscard]] const BodyBlocks& blocks(std::size_t first, std::span<const std::byte, 8> set_tag);
  // CRC32C of the bytes of all entries, from the blocks of the last call.
  [[nodiscard]] std::uint32_t crc() const;

 private:
  void put(std::size_t place, const Extent& extent);
  [[nodiscard]] bool claim_spare(const TableChange& change);
  [[nodiscard]] std::shared_ptr<const BodyBlock> encode(std::size_t block) const;

  std::vector<Extent> entries_;
  std::set<std::size_t> unused_;                           // places among entries_
  std::unordered_map<std::uint64_t, std::size_t> places_;  // by key_of()
  std::map<SpareAddress, SpareAddress> spare_;             // sectors that entries name: first, end
  BodyBlocks blocks_;                                      // null: changed since it was encoded
  std::size_t first_block_ = 0;
  std::array<std::byte, 8> set_tag_{};
};

}  // namespace dmremap::format
