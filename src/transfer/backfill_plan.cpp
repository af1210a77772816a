// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/backfill_plan.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace dmremap::transfer {

namespace {

using format::State;
using Ranges = std::vector<SectorRange>;

constexpr std::size_t kMostRanges = 256;

tl::unexpected<Error> too_large(SectorCount image_size, SectorCount size,
                                const std::string& image) {
  return fail(ErrorCode::device_too_large,
              fmt::format("has {} sectors, and main has {}: it is no image of main",
                          image_size.value, size.value),
              image, "of a partition, give an image of that partition alone");
}

// Appends the units that lie in bytes [first, end) as a whole.
void append_whole(Ranges& out, std::uint64_t first, std::uint64_t end, SectorCount unit) {
  const std::uint64_t from = align_up(first, unit.bytes()) / kSectorBytes;
  const std::uint64_t to = align_down(end, unit.bytes()) / kSectorBytes;
  if (from < to) out.push_back({{from}, {to - from}});
}

}  // namespace

Result<Ranges> sectors_of_image(const BackfillDisk& disk, SectorCount image_size,
                                const std::string& image) {
  if (image_size > disk.size) return too_large(image_size, disk.size, image);
  if (image_size < disk.size) {
    return fail(ErrorCode::device_too_small,
                fmt::format("has {} sectors, and main has {}", image_size.value, disk.size.value),
                image, "give a whole image, or the --mapfile that says what it holds");
  }
  return Ranges{{{0}, disk.size}};
}

Result<Ranges> sectors_of_image(const BackfillDisk& disk, SectorCount image_size,
                                const std::string& image, std::span<const lists::MapfileArea> areas,
                                const std::string& mapfile) {
  if (image_size > disk.size) return too_large(image_size, disk.size, image);
  Ranges out;
  for (const lists::MapfileArea& area : areas) {
    if (area.status != lists::MapfileArea::Status::finished) continue;
    const std::uint64_t end = area.first_byte + area.bytes;
    if (end > disk.size.bytes()) {
      return fail(ErrorCode::usage, "the mapfile is of a larger disk", mapfile,
                  "give the mapfile of a rescue of main");
    }
    append_whole(out, area.first_byte, std::min(end, image_size.bytes()), disk.unit);
  }
  return out;
}

BackfillPlan plan_backfill(const BackfillDisk& disk, std::span<const SectorRange> in_image,
                           bool gone_too) {
  BackfillPlan out;
  auto next = in_image.begin();
  for (const format::Extent& extent : disk.extents) {
    const bool gone = extent.state() == State::gone;
    if (!gone && extent.state() != State::lost) continue;
    const SectorRange main = extent.main();
    if (gone && !gone_too) {
      out.kept_gone = out.kept_gone + main.count;
      continue;
    }
    SectorCount found;
    while (next != in_image.end() && next->end() <= main.first) ++next;
    for (auto at = next; at != in_image.end() && at->first < main.end(); ++at) {
      const SectorRange part = main.intersect(*at);
      out.fill.push_back(part);
      found = found + part.count;
    }
    out.filling = out.filling + found;
    out.missing = out.missing + (main.count - found);
  }
  return out;
}

std::vector<Ranges> batches_of(std::span<const SectorRange> fill, SectorCount most) {
  std::vector<Ranges> out;
  SectorCount room;
  for (const SectorRange& range : fill) {
    for (Sector at = range.first; at < range.end();) {
      if (room.value == 0 || out.back().size() == kMostRanges) {
        out.emplace_back();
        room = most;
      }
      const SectorCount count = std::min(room, range.end() - at);
      out.back().push_back({at, count});
      at = at + count;
      room = room - count;
    }
  }
  return out;
}

}  // namespace dmremap::transfer
