// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/checksum.hpp"

#include <isa-l/crc.h>
#include <nettle/sha2.h>

#include "base/assert.hpp"

namespace dmremap {

namespace {

// Polynomials over GF(2) of degree under 32, bits reversed: the highest bit is the coefficient
// of 1.
constexpr std::uint32_t kCastagnoli = 0x82f63b78U;
constexpr std::uint32_t kOne = 0x80000000U;
constexpr std::uint32_t kX8 = kOne >> 8U;

constexpr std::uint32_t product(std::uint32_t a, std::uint32_t b) {
  std::uint32_t out = 0;
  for (; a != 0; a <<= 1U) {
    if ((a & kOne) != 0) out ^= b;
    b = (b >> 1U) ^ ((b & 1U) != 0 ? kCastagnoli : 0U);
  }
  return out;
}

// The polynomial x to the power of 8 * bytes.
constexpr std::uint32_t power(std::uint64_t bytes) {
  std::uint32_t out = kOne;
  for (std::uint32_t square = kX8; bytes != 0; bytes >>= 1U, square = product(square, square)) {
    if ((bytes & 1U) != 0) out = product(out, square);
  }
  return out;
}

}  // namespace

Crc32cJoin::Crc32cJoin(std::uint64_t second_bytes) : power_(power(second_bytes)) {}

std::uint32_t Crc32cJoin::operator()(std::uint32_t first, std::uint32_t second) const {
  return product(power_, first) ^ second;
}

std::uint32_t crc32c(std::span<const std::byte> data) {
  // crc32_iscsi takes no const and no length over INT_MAX; it leaves both inversions to us.
  DMREMAP_ASSERT(data.size() <= 0x7fffffff);
  auto* bytes = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(data.data()));
  return ~crc32_iscsi(bytes, static_cast<int>(data.size()), 0xffffffffU);
}

Sha256 sha256(std::span<const std::byte> data) {
  Sha256 out{};
  sha256_ctx context;
  ::sha256_init(&context);
  ::sha256_update(&context, data.size(), reinterpret_cast<const std::uint8_t*>(data.data()));
  ::sha256_digest(&context, out.size(), reinterpret_cast<std::uint8_t*>(out.data()));
  return out;
}

}  // namespace dmremap
