// SPDX-License-Identifier: GPL-2.0-or-later
// Any 4096 bytes are a seal or a verdict. What unpacks packs to the same bytes, and no single
// flipped bit goes unnoticed.
//
// Input: base (0 a right seal, 1 zeros, 2 raw bytes), flags (1: checksum put right, 2: positions
// put right), bit to flip (2 bytes), then patches or raw bytes.
#include <algorithm>
#include <vector>

#include "base/endian.hpp"
#include "format/bytes.hpp"
#include "format/seal.hpp"
#include "recipe.hpp"
#include "reseal.hpp"
#include "sample.hpp"

using namespace dmremap;
using fuzz::require;

namespace {

constexpr std::size_t kDeviceSize = 88;
constexpr std::size_t kPositions = 96;

void put_positions_right(std::span<std::byte> block) {
  const SectorCount size{load_le<std::uint64_t>(block, kDeviceSize)};
  if (size < format::kMinSpareSize) return;
  const auto positions = format::copy_positions(size);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    store_le(block, kPositions + 8 * i, positions[i].value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto right =
      fuzz::sample_commit(fuzz::sample_content(0), 2, 1, 0).seal_block({3, 0});
  fuzz::Recipe recipe(data, size);
  const unsigned base = recipe.u8() % 3;
  const unsigned flags = recipe.u8();
  const std::size_t flipped = recipe.u16() % (format::kBlockBytes * 8);
  std::vector<std::byte> block(format::kBlockBytes);
  if (base == 0) block = right;
  if (base == 2) {
    const auto raw = recipe.bytes(block.size());
    std::copy(raw.begin(), raw.end(), block.begin());
  } else {
    recipe.patch_all(block);
  }
  if ((flags & 2U) != 0) put_positions_right(block);
  if ((flags & 1U) != 0) fuzz::reseal_seal(block);

  const format::SealReading reading = format::unpack_seal(block);
  require((reading.check == format::SealCheck::empty) == format::all_zero(block),
          "empty means zeros");
  if (reading.check == format::SealCheck::empty) return 0;
  if (reading.check == format::SealCheck::ok) {
    std::vector<std::byte> again(format::kBlockBytes);
    format::pack_seal(reading.seal, again);
    require(again == block, "a seal that unpacks packs to the same bytes");
  }
  const bool checks = reading.check != format::SealCheck::corrupt;
  if (checks && flipped < format::kSealBytes * 8) {
    block[flipped / 8] ^= static_cast<std::byte>(1U << flipped % 8);
    require(format::unpack_seal(block).check == format::SealCheck::corrupt,
            "a flipped bit makes a seal corrupt");
  }
  return 0;
}
