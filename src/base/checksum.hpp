// SPDX-License-Identifier: GPL-2.0-or-later
// Checksums: CRC32C (Castagnoli, RFC 3720 B.4; ISA-L) for everything on disk, SHA-256 (FIPS 180-4;
// Nettle) for fingerprints.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dmremap {

// crc32c("123456789") = 0xe3069283. Any thread.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> data);

// Computes the checksum of two texts one after the other from their checksums and the length of the
// second. So a text that was hashed once need not be hashed again when the text before or behind it
// changes. Appending a text to another multiplies the checksum of the first, as a polynomial, by a
// power of x (Mark Adler explains it in the source of zlib, crc32_combine).
class Crc32cJoin {
 public:
  explicit Crc32cJoin(std::uint64_t second_bytes);
  [[nodiscard]] std::uint32_t operator()(std::uint32_t first, std::uint32_t second) const;

 private:
  std::uint32_t power_;
};

using Sha256 = std::array<std::byte, 32>;
[[nodiscard]] Sha256 sha256(std::span<const std::byte> data);

}  // namespace dmremap
