// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/checksum.hpp"

#include <isa-l/crc.h>
#include <openssl/sha.h>

#include "base/assert.hpp"

namespace dmremap {

std::uint32_t crc32c(std::span<const std::byte> data) {
  // crc32_iscsi takes no const and no length over INT_MAX; it leaves both inversions to us.
  DMREMAP_ASSERT(data.size() <= 0x7fffffff);
  auto* bytes = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(data.data()));
  return ~crc32_iscsi(bytes, static_cast<int>(data.size()), 0xffffffffU);
}

Sha256 sha256(std::span<const std::byte> data) {
  Sha256 out{};
  SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(),
         reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

}  // namespace dmremap
