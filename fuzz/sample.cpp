// SPDX-License-Identifier: GPL-2.0-or-later
#include "sample.hpp"

#include "base/checksum.hpp"

namespace dmremap::fuzz {

using format::Extent;
using format::State;

namespace {

constexpr Sector kFirstFree{10'240};  // between the near copies and the first far one

void add_each_state(format::Content& content) {
  content.extents = {
      Extent(State::suspect, {{8}, {8}}),
      Extent(State::lost, {{100}, {1}}).with_evidence(61, 3, 1'000'000'000),
      Extent(State::gone, {{200}, {16}}),
      Extent(State::remapped, {{300}, {8}}, {kFirstSpare, kFirstFree})
          .with_evidence(5, 4, 2'000'000'000),
  };
  content.retired = {
      Extent(State::retired, {{0}, {8}}, {kFirstSpare, kFirstFree + SectorCount{8}})};
}

void add_events(format::Content& content) {
  for (unsigned i = 0; i < format::kStoredEvents; ++i) {
    format::Event event;
    event.number = i + 1;
    event.wall_ns = 1'000'000'000ULL * i;
    event.kind = *format::event_kind_of(static_cast<std::uint8_t>(1 + i % 13));
    event.main = {{i * 8ULL}, {8}};
    event.error = 5;
    event.text = "main";
    content.health.events.push_back(event);
  }
  content.health.next_event = format::kStoredEvents + 1;
  content.health.clean = true;
}

}  // namespace

format::Content sample_content(unsigned which, unsigned set) {
  format::Content content;
  content.identity.name = "fuzz";
  content.identity.set_uuid.bytes[0] = static_cast<std::byte>(set);
  content.identity.spare_uuid.bytes[0] = static_cast<std::byte>(set + 100);
  content.identity.main.size = {1'000'000};
  content.identity.main.serial = "serial";
  content.identity.main.path_hint = "/dev/main";
  content.identity.spare.size = kSpareSize;
  if (which == 1) add_each_state(content);
  if (which == 2) {
    add_events(content);
    content.unknown = {{77, 0, std::vector<std::byte>(40, std::byte{7})}, {78, 2, {}}};
  }
  if (which == 3) {
    for (std::uint64_t i = 0; i < 180; ++i) {
      content.extents.push_back(
          Extent(State::remapped, {{i * 16}, {8}}, {kFirstSpare, kFirstFree + SectorCount{i * 8}}));
    }
  }
  return content;
}

Commit sample_commit(const format::Content& content, std::uint64_t sequence, std::uint64_t term,
                     unsigned id) {
  Commit out;
  format::Seal& seal = out.seal;
  seal.set_uuid = content.identity.set_uuid;
  seal.device_uuid = content.identity.spare_uuid;
  seal.device_size = content.identity.spare.size;
  seal.positions = format::copy_positions(content.identity.spare.size);
  seal.sequence = sequence;
  seal.term = term;
  seal.commit.bytes[0] = static_cast<std::byte>(sequence);
  seal.commit.bytes[1] = static_cast<std::byte>(term);
  seal.commit.bytes[2] = static_cast<std::byte>(id);
  out.body = format::encoded_body(
      {seal.set_uuid, seal.sequence, seal.term, seal.commit, seal.parent, seal.wall_ns}, content);
  seal.body_blocks = static_cast<std::uint32_t>(out.body.size() / format::kBlockBytes);
  seal.body_crc = crc32c(out.body);
  return out;
}

std::vector<std::byte> Commit::seal_block(format::SlotAddress claimed) const {
  format::Seal at = seal;
  at.copy = static_cast<std::uint8_t>(claimed.copy);
  at.slot = static_cast<std::uint8_t>(claimed.slot);
  at.byte_offset = format::slot_sector(seal.positions, claimed).byte_offset();
  std::vector<std::byte> block(format::kBlockBytes);
  format::pack_seal(at, block);
  return block;
}

}  // namespace dmremap::fuzz
