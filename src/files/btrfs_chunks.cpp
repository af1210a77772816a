// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/btrfs_chunks.hpp"

#include <algorithm>

#include <linux/btrfs_tree.h>

#include "base/endian.hpp"

namespace dmremap::files {

namespace {

constexpr std::size_t kLengthAt = 0;
constexpr std::size_t kTypeAt = 24;
constexpr std::size_t kStripeCountAt = 44;
constexpr std::size_t kStripesAt = 48;
constexpr std::size_t kStripeBytes = 32;
constexpr std::size_t kStripeOffsetAt = 8;

constexpr std::uint64_t kCopies = BTRFS_BLOCK_GROUP_DUP;
constexpr std::uint64_t kSpread = BTRFS_BLOCK_GROUP_PROFILE_MASK & ~kCopies;

// A run of the device that holds a part of a chunk.
struct Run {
  ByteRange device;
  std::uint64_t logical = 0;
};

std::vector<Run> runs_of(std::span<const BtrfsChunk> chunks) {
  std::vector<Run> out;
  for (const BtrfsChunk& chunk : chunks) {
    for (const std::uint64_t copy : chunk.copies)
      out.push_back({{copy, chunk.length}, chunk.logical});
  }
  std::ranges::sort(out, {}, [](const Run& run) { return run.device.begin; });
  return out;
}

BadArea part_of(const BadArea& area, const ByteRange& part, std::uint64_t address) {
  return {{address, part.length},
          area.sector + SectorCount::from_bytes(part.begin - area.at.begin),
          area.state};
}

}  // namespace

Result<BtrfsChunk> parse_btrfs_chunk(std::uint64_t logical, std::span<const std::byte> item) {
  if (item.size() < kStripesAt) return fail(ErrorCode::io, "an item of the chunk tree is cut off");
  const std::uint64_t type = load_le<std::uint64_t>(item, kTypeAt);
  const std::size_t stripes = load_le<std::uint16_t>(item, kStripeCountAt);
  if (stripes == 0 || item.size() < kStripesAt + stripes * kStripeBytes) {
    return fail(ErrorCode::io, "an item of the chunk tree is cut off");
  }
  // One stripe is one run, even if the profile could spread data over several.
  if (stripes > 1 && (type & kSpread) != 0) {
    return fail(ErrorCode::not_supported, "spreads its data over several places (RAID)", {},
                "its profile must be single or DUP: see `btrfs filesystem df`");
  }
  BtrfsChunk out{logical, load_le<std::uint64_t>(item, kLengthAt), {}};
  for (std::size_t i = 0; i < stripes; ++i) {
    const std::size_t stripe = kStripesAt + i * kStripeBytes;
    out.copies.push_back(load_le<std::uint64_t>(item, stripe + kStripeOffsetAt));
  }
  return out;
}

LogicalAreas to_logical(std::span<const BtrfsChunk> chunks, std::span<const BadArea> areas) {
  const std::vector<Run> runs = runs_of(chunks);
  LogicalAreas out;
  for (const BadArea& area : areas) {
    std::uint64_t at = area.at.begin;
    for (const Run& run : runs) {
      const ByteRange part = common(run.device, area.at);
      if (part.length == 0) continue;
      if (part.begin > at) out.outside.push_back(part_of(area, {at, part.begin - at}, at));
      out.areas.push_back(part_of(area, part, run.logical + (part.begin - run.device.begin)));
      at = part.end();
    }
    if (at < area.at.end()) out.outside.push_back(part_of(area, {at, area.at.end() - at}, at));
  }
  return out;
}

}  // namespace dmremap::files
