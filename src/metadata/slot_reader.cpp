// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/slot_reader.hpp"

#include <cstring>

#include "base/checksum.hpp"

namespace dmremap::metadata {

namespace {

// A seal and the body of a table that is not large, in one request: a start reads each slot of the
// spare several times, and a disk takes as long for a block as for four.
constexpr SectorCount kStart{4 * format::kBlockSectors.value};

// True if seal and body name the same commit and the same spare with the same size. The size in the
// seal says where the copies lie, and that in the body where data may lie: if they differed, the
// table could lead data into a copy.
bool agrees(const format::DecodedBody& body, const format::Seal& seal) {
  const format::Identity& identity = body.content.identity;
  return body.name == format::BodyName{seal.set_uuid, seal.sequence, seal.term,
                                       seal.commit,   seal.parent,   seal.wall_ns} &&
         identity.spare_uuid == seal.device_uuid && identity.spare.size == seal.device_size;
}

bool equal(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

SlotReading SlotReader::read(format::SlotAddress at, Sector slot_start) {
  SlotReading out;
  last_body_ = {};
  const auto there = read_start(slot_start);
  if (!there) {
    out.seal_unreadable = true;
    return out;
  }
  out.seal = format::unpack_seal(seal_block());
  if (out.seal.check != format::SealCheck::ok) return out;
  // A seal that lies elsewhere says nothing about this slot, so its body is not looked for.
  out.in_place = format::belongs_at(out.seal.seal, at, slot_start);
  if (out.in_place) read_body(out, slot_start, *there);
  return out;
}

std::optional<std::size_t> SlotReader::read_start(Sector slot_start) {
  const SectorRange start{slot_start, kStart};
  // What cannot be read may lie behind the seal, and even behind the body.
  if (start.end() <= Sector{device_.geometry().size.value} &&
      device_.read(slot_start, slot_.span().first(kStart.bytes())).ok()) {
    return kStart.bytes() - format::kBlockBytes;
  }
  return device_.read(slot_start, seal_block()).ok() ? std::optional<std::size_t>(0) : std::nullopt;
}

void SlotReader::read_body(SlotReading& out, Sector slot_start, std::size_t there) {
  const format::Seal& seal = out.seal.seal;
  const auto blocks = body_blocks().first(seal.body_blocks * format::kBlockBytes);
  if (there < blocks.size()) {
    const Sector rest = slot_start + format::kBlockSectors + SectorCount::from_bytes(there);
    if (!device_.read(rest, blocks.subspan(there)).ok()) {
      out.body_unreadable = true;
      return;
    }
  }
  // Without a body that matches, the slot is torn: `out.body` stays empty.
  if (crc32c(blocks) != seal.body_crc) return;
  std::optional<DecodedSlot>& known = decoded_[seal.slot];
  if (known && equal(known->blocks, blocks)) {
    if (agrees(known->body, seal)) accept(out, known->body, blocks);
    return;
  }
  // The checksum matches the seal, so a body that does not decode was written like that: by a newer
  // version, if it is only a section that is not known.
  auto decoded = format::decode_body(blocks);
  if (const auto* fault = std::get_if<format::BodyFault>(&decoded)) {
    out.newer_body = *fault == format::BodyFault::required;
    return;
  }
  auto& body = std::get<format::DecodedBody>(decoded);
  if (agrees(body, seal)) accept(out, body, blocks);
  known = DecodedSlot{{blocks.begin(), blocks.end()}, std::move(body)};
}

void SlotReader::accept(SlotReading& out, const format::DecodedBody& body,
                        std::span<const std::byte> blocks) {
  out.body = body;
  last_body_ = blocks;
}

}  // namespace dmremap::metadata
