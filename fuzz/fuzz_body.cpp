// SPDX-License-Identifier: GPL-2.0-or-later
// Any blocks are a body or a fault. The fuzzer cannot guess CRC32Cs, so each block's is put right
// first; what decodes must encode and decode to the same.
#include <algorithm>
#include <cstdlib>
#include <span>
#include <variant>
#include <vector>

#include "base/checksum.hpp"
#include "base/endian.hpp"
#include "format/body.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dmremap;
  using namespace dmremap::format;
  std::vector<std::byte> blocks(std::clamp<std::size_t>(size / kBlockBytes, 1, 4) * kBlockBytes);
  std::copy_n(reinterpret_cast<const std::byte*>(data), std::min(size, blocks.size()),
              blocks.begin());
  for (std::size_t at = 0; at < blocks.size(); at += kBlockBytes) {
    const auto block = std::span(blocks).subspan(at, kBlockBytes);
    store_le(block, 0, crc32c(block.subspan(4)));
  }
  const auto decoded = decode_body(blocks);
  if (std::holds_alternative<BodyFault>(decoded)) return 0;
  const auto& body = std::get<DecodedBody>(decoded);
  const auto again = decode_body(encode_body(body.name, body.content, body.table));
  if (!std::holds_alternative<DecodedBody>(again) ||
      std::get<DecodedBody>(again).content != body.content) {
    std::abort();
  }
  return 0;
}
