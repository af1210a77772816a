// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/copy_on_write.hpp"

#include <algorithm>
#include <bit>
#include <mutex>

#include "base/aligned_buffer.hpp"
#include "base/sector_parts.hpp"
#include "table/known_bad.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

namespace {

constexpr SectorCount kUsualChunk = SectorCount::from_bytes(kMiB);
constexpr SectorCount kLargestChunk = SectorCount::from_bytes(16 * kMiB);
// Of the time that is left: what a chunk has to come to rest in.
constexpr std::uint64_t kDrainPart = 8;

}  // namespace

SectorCount chunk_size(const ChunkRoom& room, SectorCount block) {
  const std::uint64_t entries = std::max<std::uint64_t>(room.entries, 1);
  if (room.spare_free >= room.unmapped) {
    const SectorCount each{std::bit_ceil((room.unmapped.value + entries - 1) / entries)};
    return std::clamp(each, kUsualChunk, kLargestChunk);
  }
  const SectorCount each{std::bit_floor(room.spare_free.value / entries)};
  return std::clamp(each, block, std::max(block, kUsualChunk));
}

std::optional<Outcome> CopyOnWrite::store(std::span<const Item> items, std::uint64_t deadline_ns,
                                          const RequestTimer* timer) {
  const table::Table table = path_.live.table();
  const std::uint64_t used = table.size() + table.retired().size();
  const std::uint64_t capacity = path_.table_capacity.load();
  const ChunkRoom room{path_.geometry.size - SectorCount{table.counts().remapped},
                       {path_.spares.available_sectors.load()},
                       capacity - std::min(capacity, used)};
  const SectorCount size = chunk_size(room, path_.block());
  const SectorRange all{items.front().range.first,
                        items.back().range.end() - items.front().range.first};
  Sector at{align_down(all.first.value, size.value)};
  for (; at < all.end(); at = at + size) {
    const SectorRange chunk = SectorRange{at, size}.intersect({{0}, path_.geometry.size});
    std::vector<Item> parts;
    for (const Item& item : items) {
      const SectorRange part = item.range.intersect(chunk);
      if (part.empty()) continue;
      parts.push_back({item.kind, part, part_of(item.data, item.range, part), item.cause});
    }
    if (parts.empty()) continue;
    const std::optional<Outcome> outcome = store_chunk(chunk, parts, deadline_ns, timer);
    if (outcome != Outcome::done) return outcome;
  }
  return Outcome::done;
}

std::uint64_t CopyOnWrite::after_part(std::uint64_t part, std::uint64_t deadline_ns) const {
  const std::uint64_t now_ns = path_.clock.monotonic_ns();
  return now_ns + (std::max(deadline_ns, now_ns) - now_ns) / part;
}

std::optional<Outcome> CopyOnWrite::store_chunk(SectorRange chunk, std::span<const Item> parts,
                                                std::uint64_t deadline_ns,
                                                const RequestTimer* timer) {
  // Writes to the chunk wait meanwhile, and may have nothing to do with what does not end there.
  auto quiesced =
      quiesce(path_, remapper_, {chunk}, NeedsMain::yes, after_part(kDrainPart, deadline_ns));
  if (!quiesced) {
    switch (quiesced.error()) {
      case QuiesceFailure::read_only:
        return Outcome::read_only;
      case QuiesceFailure::tripped:
        return Outcome::tripped;
      case QuiesceFailure::timeout:
        return std::nullopt;
    }
  }
  const std::lock_guard one_copy(one_copy_);
  AlignedBuffer buffer(chunk.count.bytes());
  // Half of the time that is left: the spare needs some, too.
  const std::uint64_t until_ns = after_part(2, deadline_ns);
  std::vector<SectorRange> ranges = read_main(quiesced->table(), chunk, buffer.span(), until_ns);
  for (const Item& part : parts) {
    // Who reads a bad sector of it meanwhile must not take what it read for the newest.
    path_.live.note_write(part.range);
    std::ranges::copy(part.data, part_of(buffer.span(), chunk, part.range).begin());
    ranges.push_back(part.range);
  }
  std::vector<Item> items;
  for (const SectorRange& range : table::joined(std::move(ranges))) {
    items.push_back(
        {Item::Kind::store, range, part_of(buffer.span(), chunk, range), parts.front().cause});
  }
  Outcome outcome = remapper_.run(items, deadline_ns, timer);
  if (main_may_help(outcome)) outcome = remapper_.run(parts, deadline_ns, timer);
  // No pin told of it while it was stored: whoever counted the writes meanwhile has to notice.
  path_.live.pin(parts.front().range).count_write();
  return outcome;
}

std::vector<SectorRange> CopyOnWrite::read_main(const table::Table& table, SectorRange chunk,
                                                std::span<std::byte> buffer,
                                                std::uint64_t until_ns) {
  std::vector<SectorRange> out;
  for (const table::Stretch& stretch : table::stretches(table, chunk)) {
    if (stretch.place != table::Place::main) continue;
    const auto data = part_of(buffer, chunk, stretch.range);
    if (path_.read_main(stretch.range.first, data).ok()) {
      out.push_back(stretch.range);
    } else {
      read_by_blocks(stretch.range, chunk, buffer, until_ns, out);
    }
  }
  return out;
}

// A block that does not read is not asked again: a user's read does that, with more patience. Each
// may take a drive seconds, and a write waits for this.
void CopyOnWrite::read_by_blocks(SectorRange part, SectorRange chunk, std::span<std::byte> buffer,
                                 std::uint64_t until_ns, std::vector<SectorRange>& read) {
  for (const SectorRange block : blocks_in(part, path_.block())) {
    if (path_.clock.monotonic_ns() >= until_ns) return;
    const io::IoStatus status = path_.read_main(block.first, part_of(buffer, chunk, block));
    if (status.ok()) {
      append_run(read, block);
    } else if (path_.diagnose_main(status.error) != io::Fault::media) {
      return;
    }
  }
}

}  // namespace dmremap::remap
