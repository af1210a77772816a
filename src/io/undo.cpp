// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/undo.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace dmremap::io {

namespace {

constexpr std::uint64_t kBlockBytes = 4096;

std::uint64_t block_bytes(const BlockDevice& device) {
  return std::max<std::uint64_t>(kBlockBytes, device.geometry().logical_block_bytes);
}

Sector behind(Sector first, std::uint64_t bytes) {
  return first + SectorCount::from_bytes(bytes);
}

// Calls each(first sector, bytes) block by block.
template <typename Each>
void in_blocks(BlockDevice& device, Sector first, std::span<std::byte> bytes, Each each) {
  const std::size_t step = block_bytes(device);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    each(behind(first, at), bytes.subspan(at, std::min(step, bytes.size() - at)));
  }
}

}  // namespace

Undo::Undo(BlockDevice& device, const std::vector<SectorRange>& ranges) : device_(device) {
  for (const SectorRange& range : ranges) {
    SavedRange kept{range.first, AlignedBuffer(range.count.bytes())};
    if (device.read(kept.first, kept.bytes.span()).ok()) {
      saved_.push_back(std::move(kept));
      continue;
    }
    in_blocks(device, kept.first, kept.bytes.span(), [&](Sector at, std::span<std::byte> block) {
      SavedRange one{at, AlignedBuffer(block.size())};
      if (device.read(at, one.bytes.span()).ok()) {
        saved_.push_back(std::move(one));
      } else {
        covers_all_ = false;
      }
    });
  }
}

Undo::~Undo() {
  if (saved_.empty()) return;
  bool whole = true;
  for (SavedRange& kept : saved_) {
    if (device_.write(kept.first, kept.bytes.span()).ok()) continue;
    in_blocks(device_, kept.first, kept.bytes.span(),
              [&](Sector at, std::span<std::byte> block) { whole = put_back(at, block) && whole; });
  }
  whole = device_.flush().ok() && whole;
  if (!whole) log(Severity::error, device_.path() + ": could not be put back as it was");
}

bool Undo::put_back(Sector first, std::span<const std::byte> block) {
  if (device_.write(first, block).ok()) return true;
  // Blocks that could not be overwritten (a bad sector, a hole of an image on a full disk) still
  // hold their old content, and need no write.
  AlignedBuffer now(block.size());
  return device_.read(first, now.span()).ok() && std::ranges::equal(now.span(), block);
}

IoStatus overwrite_with_zeros(BlockDevice& device, SectorRange range) {
  const AlignedBuffer zeros(range.count.bytes());
  return device.write(range.first, zeros.span());
}

}  // namespace dmremap::io
