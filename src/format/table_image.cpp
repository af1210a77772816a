// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/table_image.hpp"

#include <algorithm>
#include <array>

#include "base/assert.hpp"
#include "base/checksum.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"
#include "format/sections.hpp"

namespace dmremap::format {

namespace {

// The key of an entry is the sector where it begins, since entries are disjoint. Retired entries
// begin on the spare, so the top bit keeps their keys apart from those of main.
std::uint64_t key_of(const Extent& extent) {
  return extent.state() == State::retired ? packed(extent.spare().first) | std::uint64_t{1} << 63U
                                          : extent.main().first.value;
}

bool names_spare(const Extent& extent) {
  return extent.state() == State::retired || extent.state() == State::remapped;
}

}  // namespace

BodyBlock::BodyBlock(std::size_t index, std::span<const std::byte, 8> set_tag,
                     std::span<const std::byte> payload)
    : bytes_(kBlockBytes) {
  DMREMAP_ASSERT(payload.size() == kPayloadBytes);
  const auto block = bytes_.span();
  store_le(block, 4, static_cast<std::uint32_t>(index));
  put_bytes(block, 8, set_tag);
  put_bytes(block, kBlockHeaderBytes, payload);
  store_le(block, 0, crc32c(block.subspan(4)));
  crc_ = crc32c(block);
  payload_crc_ = crc32c(payload);
}

BodyBlock::BodyBlock(std::span<const std::byte> bytes) : bytes_(kBlockBytes) {
  DMREMAP_ASSERT(bytes.size() == kBlockBytes);
  put_bytes(bytes_.span(), 0, bytes);
  crc_ = crc32c(bytes);
  payload_crc_ = crc32c(payload());
}

TableImage::TableImage(std::vector<Extent> entries) : entries_(std::move(entries)) {
  places_.reserve(entries_.size());
  for (std::size_t place = 0; place < entries_.size(); ++place) {
    const Extent& entry = entries_[place];
    if (entry.state() == State::good) {
      unused_.insert(place);
      continue;
    }
    places_.emplace(key_of(entry), place);
    if (names_spare(entry)) spare_.emplace(entry.spare().first, entry.spare().end());
  }
}

TableChange TableImage::change_to(std::span<const Extent> extents,
                                  std::span<const Extent> retired) const {
  TableChange out;
  std::unordered_map<std::uint64_t, const Extent*> wanted;
  wanted.reserve(extents.size() + retired.size());
  for (const auto list : {extents, retired}) {
    for (const Extent& extent : list) {
      wanted.emplace(key_of(extent), &extent);
      const auto known = places_.find(key_of(extent));
      if (known == places_.end() || entries_[known->second] != extent) out.added.push_back(extent);
    }
  }
  for (const Extent& entry : entries_) {
    if (entry.state() == State::good) continue;
    const auto found = wanted.find(key_of(entry));
    if (found == wanted.end() || *found->second != entry) out.removed.push_back(entry);
  }
  return out;
}

// Only sectors of the spare need this check. A table holds every sector of main once, but a mistake
// could give one sector of the spare to two sectors of main, and then both would read what was
// written last.
bool TableImage::claim_spare(const TableChange& change) {
  for (const Extent& extent : change.removed) {
    if (names_spare(extent)) spare_.erase(extent.spare().first);
  }
  std::vector<SpareAddress> claimed;
  for (const Extent& extent : change.added) {
    if (!names_spare(extent)) continue;
    const SpareAddress first = extent.spare().first;
    const SpareAddress end = extent.spare().end();
    const auto next = spare_.lower_bound(first);
    const bool taken = (next != spare_.end() && next->first < end) ||
                       (next != spare_.begin() && std::prev(next)->second > first);
    if (!taken) {
      spare_.emplace_hint(next, first, end);
      claimed.push_back(first);
      continue;
    }
    // The claims so far are taken back, so that a refused change leaves no trace.
    for (const SpareAddress& mine : claimed) spare_.erase(mine);
    for (const Extent& gone : change.removed) {
      if (names_spare(gone)) spare_.emplace(gone.spare().first, gone.spare().end());
    }
    return false;
  }
  return true;
}

bool TableImage::apply(const TableChange& change) {
  if (!claim_spare(change)) return false;
  std::unordered_map<std::uint64_t, const Extent*> arriving;
  for (const Extent& extent : change.added) arriving.emplace(key_of(extent), &extent);
  for (const Extent& extent : change.removed) {
    const auto known = places_.find(key_of(extent));
    DMREMAP_ASSERT(known != places_.end());
    const std::size_t place = known->second;
    const auto successor = arriving.find(key_of(extent));
    if (successor != arriving.end()) {
      put(place, *successor->second);
      arriving.erase(successor);
      continue;
    }
    places_.erase(known);
    put(place, Extent{});
    unused_.insert(place);
  }
  for (const Extent& extent : change.added) {
    if (arriving.erase(key_of(extent)) == 0) continue;
    std::size_t place = entries_.size();
    if (unused_.empty()) {
      entries_.emplace_back();
    } else {
      place = *unused_.begin();
      unused_.erase(unused_.begin());
    }
    const bool is_new = places_.emplace(key_of(extent), place).second;
    DMREMAP_ASSERT(is_new);
    put(place, extent);
  }
  // Unused places at the end are not written: they would only lengthen the table.
  while (!entries_.empty() && entries_.back().state() == State::good) {
    put(entries_.size() - 1, Extent{});
    entries_.pop_back();
    unused_.erase(entries_.size());
  }
  return true;
}

void TableImage::put(std::size_t place, const Extent& extent) {
  entries_[place] = extent;
  if (place / kBlockEntries < blocks_.size()) blocks_[place / kBlockEntries].reset();
}

std::shared_ptr<const BodyBlock> TableImage::encode(std::size_t block) const {
  std::array<std::byte, kPayloadBytes> payload{};
  const std::size_t begin = block * kBlockEntries;
  const std::size_t end = std::min(begin + kBlockEntries, entries_.size());
  for (std::size_t place = begin; place < end; ++place) {
    ExtentCodec::pack(entries_[place],
                      std::span(payload).subspan((place - begin) * kEntryBytes, kEntryBytes));
  }
  return std::make_shared<const BodyBlock>(first_block_ + block, set_tag_, payload);
}

const BodyBlocks& TableImage::blocks(std::size_t first, std::span<const std::byte, 8> set_tag) {
  // A block contains its own index and the tag of the set, so all blocks change with either.
  if (first != first_block_ || !std::ranges::equal(set_tag, set_tag_)) {
    blocks_.clear();
    first_block_ = first;
    std::ranges::copy(set_tag, set_tag_.begin());
  }
  blocks_.resize((entries_.size() + kBlockEntries - 1) / kBlockEntries);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (!blocks_[i]) blocks_[i] = encode(i);
  }
  return blocks_;
}

std::uint32_t TableImage::crc() const {
  static const Crc32cJoin join(kPayloadBytes);
  std::uint32_t out = crc32c({});
  if (blocks_.empty()) return out;
  for (std::size_t i = 0; i + 1 < blocks_.size(); ++i) out = join(out, blocks_[i]->payload_crc());
  // The last block is filled up with zeros, which are not part of the section.
  const std::size_t left = (entries_.size() - (blocks_.size() - 1) * kBlockEntries) * kEntryBytes;
  return Crc32cJoin(left)(out, crc32c(blocks_.back()->payload().first(left)));
}

}  // namespace dmremap::format
