// SPDX-License-Identifier: GPL-2.0-or-later
// What the tests of the metadata share: a spare in memory, contents that tell which commit they are
// of, and slots laid down behind the store's back.
#pragma once

#include <random>
#include <vector>

#include "base/checksum.hpp"
#include "format/body.hpp"
#include "format/seal.hpp"
#include "metadata/store.hpp"
#include "sim/sim_device.hpp"

namespace dmremap::metadata {

inline constexpr SectorCount kSize{65'536};

class FixedClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return 1'000; }
  std::uint64_t monotonic_ns() override { return 1'000; }
};

// Reproducible, so that a failing cut can be replayed.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next_u64() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

inline format::Content first_content(SectorCount spare_size = kSize, unsigned set = 1) {
  format::Content content;
  content.identity.name = "test";
  content.identity.set_uuid.bytes[0] = static_cast<std::byte>(set);
  content.identity.spare_uuid.bytes[0] = static_cast<std::byte>(set + 100);
  content.identity.main.size = {1'000'000};
  content.identity.spare.size = spare_size;
  return content;
}

inline format::Content with_extents(format::Content content, std::uint64_t count,
                                    std::uint64_t first_spare = 20'000) {
  content.extents.clear();
  for (std::uint64_t i = 0; i < count; ++i) {
    content.extents.push_back(format::Extent(format::State::remapped, {{i * 16}, {8}},
                                             {kFirstSpare, {first_spare + i * 8}}));
  }
  return content;
}

inline format::Seal seal_of(const format::Content& content, std::uint64_t sequence,
                            std::uint64_t term) {
  format::Seal seal;
  seal.set_uuid = content.identity.set_uuid;
  seal.device_uuid = content.identity.spare_uuid;
  seal.device_size = content.identity.spare.size;
  seal.positions = format::copy_positions(content.identity.spare.size);
  seal.sequence = sequence;
  seal.term = term;
  seal.commit.bytes[0] = static_cast<std::byte>(sequence);
  return seal;
}

// A whole slot of the commit that `seal` names, on every copy.
inline void lay(sim::SimDevice& spare, format::Seal seal, const format::Content& content) {
  const std::vector<std::byte> body = format::encoded_body(
      {seal.set_uuid, seal.sequence, seal.term, seal.commit, seal.parent, seal.wall_ns}, content);
  seal.body_blocks = static_cast<std::uint32_t>(body.size() / format::kBlockBytes);
  seal.body_crc = crc32c(body);
  seal.slot = static_cast<std::uint8_t>(format::column_of(seal.sequence));
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    const format::SlotAddress at{copy, seal.slot};
    seal.copy = static_cast<std::uint8_t>(copy);
    seal.byte_offset = format::slot_sector(seal.positions, at).byte_offset();
    std::vector<std::byte> block(format::kBlockBytes);
    format::pack_seal(seal, block);
    spare.poke(format::slot_sector(seal.positions, at), block);
    spare.poke(format::body_sector(seal.positions, at), body);
  }
}

inline Result<CommitName> commit(Store& store, const format::Content& content) {
  return store.commit(content, table::Table(content.extents, content.retired));
}

class StoreRig {
 public:
  explicit StoreRig(SectorCount size = kSize, std::uint64_t seed = 7)
      : content(first_content(size)), random(seed), spare({size, 512, 4096}) {}

  Result<void> create() { return Store::create(spare, content, random, clock); }

  Result<std::unique_ptr<Store>> open() {
    const auto found = survey(spare);
    if (!found) return failure_of(found);
    if (const auto error = refusal(*found, "spare")) return tl::unexpected(*error);
    return Store::activate(spare, *found, *found->content, random, clock);
  }

  // Where the size at `create` has put it: a spare that grows keeps its copies.
  [[nodiscard]] SectorRange copy_range(unsigned copy) const {
    return {format::copy_positions(content.identity.spare.size)[copy], format::kCopySectors};
  }
  [[nodiscard]] SectorRange slot_range(unsigned copy, unsigned slot) const {
    return {copy_range(copy).first + SectorCount{slot * format::kSlotSectors.value},
            format::kSlotSectors};
  }
  void damage(unsigned copy, unsigned slot, std::byte with = std::byte{0xff}) {
    const std::vector<std::byte> noise(format::kBlockBytes, with);
    spare.poke(slot_range(copy, slot).first, noise);
  }
  void damage(unsigned copy) {
    damage(copy, 0);
    damage(copy, 1);
  }

  // Every slot as far as kRestored, and back: quicker than to make the spare again. All faults and
  // hooks end.
  static constexpr SectorCount kRestored{128};  // seal and 15 body blocks: 2,000 extents
  [[nodiscard]] std::vector<std::byte> image() const { return spare.contents(); }
  void restore(const std::vector<std::byte>& image) {
    spare.set_hook({});
    spare.set_landing({});
    spare.clear_faults();
    spare.power_cut([](const sim::Request&, Sector) { return false; });
    for (unsigned slot = 0; slot < format::kCopies * format::kSlots; ++slot) {
      const Sector at = slot_range(slot / format::kSlots, slot % format::kSlots).first;
      spare.poke(at, std::span(image).subspan(at.byte_offset(), kRestored.bytes()));
    }
  }
  // The power goes before write or flush `step` from now.
  void cut_at(std::uint64_t step) {
    const std::uint64_t last = spare.steps() + step;
    spare.set_hook([last](const sim::Request& request) {
      if (request.kind != sim::Request::Kind::read && request.step >= last) throw sim::PowerCut{};
      return io::kIoOk;
    });
  }

  format::Content content;
  SeededRandom random;
  FixedClock clock;
  sim::SimDevice spare;
};

}  // namespace dmremap::metadata
