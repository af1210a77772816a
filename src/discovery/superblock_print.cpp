// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/superblock_print.hpp"

#include <algorithm>

#include "base/aligned_buffer.hpp"

namespace dmremap::discovery {

Sha256 superblock_print(io::BlockDevice& main) {
  const std::uint64_t unit_bytes = main.geometry().unit().bytes();
  const std::uint64_t bytes =
      std::min(kPrintedBytes, align_down(main.geometry().size.bytes(), unit_bytes));
  const std::uint64_t units = bytes / unit_bytes;
  // The contents, then a byte for each unit: 1 = unreadable, and its contents are zeros here.
  AlignedBuffer buffer(bytes + units);
  const auto contents = buffer.span().first(bytes);
  if (!main.read({0}, contents).ok()) {
    for (std::uint64_t i = 0; i < units; ++i) {
      const auto unit = contents.subspan(i * unit_bytes, unit_bytes);
      if (main.read(Sector{SectorCount::from_bytes(i * unit_bytes).value}, unit).ok()) continue;
      std::ranges::fill(unit, std::byte{0});
      buffer.span()[bytes + i] = std::byte{1};
    }
  }
  return sha256(buffer.span());
}

}  // namespace dmremap::discovery
