// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/slot_reader.hpp"

#include <cstring>

#include "base/checksum.hpp"

namespace dmremap::metadata {

namespace {

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
  if (!device_.read(slot_start, seal_.span()).ok()) {
    out.seal_unreadable = true;
    return out;
  }
  out.seal = format::unpack_seal(seal_.span());
  if (out.seal.check != format::SealCheck::ok) return out;
  out.in_place = format::belongs_at(out.seal.seal, at, slot_start);
  if (out.in_place) read_body(out, slot_start);
  return out;
}

void SlotReader::read_body(SlotReading& out, Sector slot_start) {
  const format::Seal& seal = out.seal.seal;
  const auto blocks = body_.span().first(seal.body_blocks * format::kBlockBytes);
  if (!device_.read(slot_start + format::kBlockSectors, blocks).ok()) {
    out.body_unreadable = true;
    return;
  }
  if (crc32c(blocks) != seal.body_crc) return;
  std::optional<Decoded>& known = decoded_[seal.slot];
  if (known && equal(known->blocks, blocks)) {
    if (agrees(known->body, seal)) take(out, known->body, blocks);
    return;
  }
  auto decoded = format::decode_body(blocks);
  if (const auto* fault = std::get_if<format::BodyFault>(&decoded)) {
    out.newer_body = *fault == format::BodyFault::required;
    return;
  }
  auto& body = std::get<format::DecodedBody>(decoded);
  if (agrees(body, seal)) take(out, body, blocks);
  known = Decoded{{blocks.begin(), blocks.end()}, std::move(body)};
}

void SlotReader::take(SlotReading& out, const format::DecodedBody& body,
                      std::span<const std::byte> blocks) {
  out.body = body;
  last_body_ = blocks;
}

}  // namespace dmremap::metadata
