// SPDX-License-Identifier: GPL-2.0-or-later
// Checksums: CRC32C (Castagnoli, RFC 3720 B.4; ISA-L) for everything on disk, SHA-256 (FIPS 180-4;
// libcrypto) for fingerprints.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dmremap {

// crc32c("123456789") = 0xe3069283. Any thread.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> data);

using Sha256 = std::array<std::byte, 32>;
[[nodiscard]] Sha256 sha256(std::span<const std::byte> data);

}  // namespace dmremap
