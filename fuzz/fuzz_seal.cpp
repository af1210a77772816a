// SPDX-License-Identifier: GPL-2.0-or-later
// Any 4096 bytes are a seal or a verdict; what unpacks packs to the same bytes.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>

#include "format/seal.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dmremap::format;
  std::array<std::byte, kBlockBytes> block{};
  std::copy_n(reinterpret_cast<const std::byte*>(data), std::min(size, block.size()),
              block.begin());
  const SealReading reading = unpack_seal(block);
  if (reading.check != SealCheck::ok) return 0;
  std::array<std::byte, kBlockBytes> again{};
  pack_seal(reading.seal, again);
  if (again != block) std::abort();
  return 0;
}
