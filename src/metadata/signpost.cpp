// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/signpost.hpp"

#include <algorithm>
#include <array>

#include "base/aligned_buffer.hpp"
#include "format/layout.hpp"

namespace dmremap::metadata {

namespace {

std::array<Sector, format::kSlots> places_in(SectorRange area) {
  return {area.first, area.first + format::kSlotSectors};
}

// As it lies in slot A or B of copy 0.
format::Seal seal_of_first_copy(format::Seal seal) {
  seal.copy = 0;
  seal.slot = static_cast<std::uint8_t>(format::column_of(seal.sequence));
  seal.byte_offset = format::slot_sector(seal.positions, {seal.copy, seal.slot}).byte_offset();
  return seal;
}

}  // namespace

Result<void> write_signposts(io::BlockDevice& spare, const format::Seal& seal, SectorCount used) {
  const SectorRange area = format::signpost_area(seal.device_size, used);
  if (area.empty()) return {};
  AlignedBuffer block(format::kBlockBytes);
  AlignedBuffer there(format::kBlockBytes);
  format::pack_seal(seal_of_first_copy(seal), block.span());
  unsigned written = 0;
  for (const Sector at : places_in(area)) {
    const bool reads_back = spare.write(at, block.span()).ok() &&
                            spare.read(at, there.span()).ok() &&
                            std::ranges::equal(block.span(), there.span());
    if (reads_back) ++written;
  }
  if (written > 0) return {};
  return fail(ErrorCode::io, "the new room takes no data near its end", spare.path(),
              "see the kernel log; take another device, or another size");
}

bool erase_signposts(io::BlockDevice& spare, SectorCount made, SectorCount used) {
  const SectorRange area = format::signpost_area(made, used);
  if (area.empty()) return true;
  const AlignedBuffer zeros(format::kBlockBytes);
  bool erased = true;
  for (const Sector at : places_in(area)) {
    if (!spare.write(at, zeros.span()).ok()) erased = false;
  }
  return spare.flush().ok() && erased;
}

}  // namespace dmremap::metadata
