// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/engine_memory.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "remap/evidence/evidence.hpp"
#include "table/snapshot.hpp"
#include "table/unflushed_writes.hpp"

namespace dmremap::remap {

namespace {

template <typename Byte>
struct Parts {
  std::span<Byte> pins;
  std::span<Byte> evidence;
  std::span<Byte> unflushed;
};

// Requires EngineMemory::bytes_for(main_size) bytes.
template <typename Byte>
Parts<Byte> parts_of(std::span<Byte> memory, SectorCount main_size) {
  std::size_t at = 0;
  const auto next = [&](std::size_t bytes) {
    const auto part = memory.subspan(at, bytes);
    at += bytes;
    return part;
  };
  Parts<Byte> out;
  out.pins = next(table::Pins::kBytes);
  out.evidence = next(ContentEvidence::kBytes);
  out.unflushed = next(table::UnflushedWrites::bytes_for(main_size));
  return out;
}

}  // namespace

std::size_t EngineMemory::bytes_for(SectorCount main_size) {
  return table::Pins::kBytes + ContentEvidence::kBytes +
         table::UnflushedWrites::bytes_for(main_size);
}

EngineMemory EngineMemory::of(std::span<std::byte> memory, SectorCount main_size) {
  DMREMAP_ASSERT(memory.size() == bytes_for(main_size));
  const Parts<std::byte> parts = parts_of(memory, main_size);
  return {parts.pins, parts.evidence, parts.unflushed};
}

std::vector<BlockHash> evidence_after_kill(std::span<const std::byte> memory,
                                           SectorCount main_size) {
  if (memory.size() != EngineMemory::bytes_for(main_size)) return {};
  const Parts<const std::byte> parts = parts_of(memory, main_size);
  const std::vector<SectorRange> in_flight = table::Pins::ranges_in_flight(parts.pins);
  std::vector<BlockHash> out;
  for (const BlockHash& known : ContentEvidence::entries_in(parts.evidence)) {
    const SectorRange block = known.block;
    const bool on_main = !block.empty() && block.first.value < main_size.value &&
                         block.count.value <= main_size.value - block.first.value;
    // A request in flight may have been a write that had reached the device, a region that is dirty
    // or covered may hold other data after a power cut than before it: neither proves anything.
    if (!on_main || table::UnflushedWrites::any_in(parts.unflushed, main_size, block) ||
        std::ranges::any_of(in_flight, [&](SectorRange r) { return r.overlaps(block); })) {
      continue;
    }
    out.push_back(known);
  }
  return out;
}

bool flush_in_doubt_after_kill(std::span<const std::byte> memory, SectorCount main_size) {
  return memory.size() != EngineMemory::bytes_for(main_size) ||
         table::UnflushedWrites::is_flush_in_doubt(parts_of(memory, main_size).unflushed);
}

UnflushedLeft unflushed_after_kill(std::span<const std::byte> memory, SectorCount main_size) {
  if (memory.size() != EngineMemory::bytes_for(main_size)) return {};
  const std::span<const std::byte> unflushed = parts_of(memory, main_size).unflushed;
  return {table::UnflushedWrites::is_flush_in_doubt(unflushed),
          table::UnflushedWrites::is_spare_flush_in_doubt(unflushed),
          table::UnflushedWrites::regions_in(unflushed, main_size)};
}

}  // namespace dmremap::remap
