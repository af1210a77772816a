// SPDX-License-Identifier: GPL-2.0-or-later
#include "reseal.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/checksum.hpp"
#include "base/endian.hpp"
#include "format/body.hpp"
#include "format/seal.hpp"
#include "format/sections.hpp"

namespace dmremap::fuzz {

using format::kBlockBytes;
using format::kBlockHeaderBytes;
using format::kPayloadBytes;

namespace {

constexpr std::size_t kSealBodyBlocks = 216;
constexpr std::size_t kSealBodyCrc = 220;
constexpr std::size_t kSealCrc = 508;

constexpr std::size_t kSectionCount = 80;
constexpr std::size_t kDirectory = 256;
constexpr std::size_t kDirectoryEntryBytes = 32;
constexpr std::size_t kMaxSections = (format::kHeaderBytes - kDirectory) / kDirectoryEntryBytes;
constexpr unsigned kIdentityType = 1;

constexpr std::size_t kFingerprintSummed = 296;
constexpr std::size_t kFingerprintDigest = 552;
constexpr std::size_t kIdentityFingerprints = 256;

void move(std::span<std::byte> to, std::span<const std::byte> from) {
  std::memcpy(to.data(), from.data(), from.size());
}

void reseal_sections(std::span<std::byte> stream, BodyLevels levels) {
  const std::size_t count =
      std::min<std::size_t>(load_le<std::uint32_t>(stream, kSectionCount), kMaxSections);
  for (std::size_t i = 0; i < count; ++i) {
    const auto entry = stream.subspan(kDirectory + i * kDirectoryEntryBytes, kDirectoryEntryBytes);
    const std::size_t offset = load_le<std::uint32_t>(entry, 4);
    const std::size_t length = load_le<std::uint32_t>(entry, 8);
    // A section over the directory could not be right whatever its checksum is.
    if (offset < format::kHeaderBytes || offset > stream.size() ||
        length > stream.size() - offset) {
      continue;
    }
    const auto section = stream.subspan(offset, length);
    if (levels.fingerprints && load_le<std::uint16_t>(entry, 0) == kIdentityType) {
      reseal_identity(section);
    }
    if (levels.sections) store_le(entry, 12, crc32c(section));
  }
}

}  // namespace

void reseal_seal(std::span<std::byte> block) {
  store_le(block, kSealCrc, crc32c(block.first(kSealCrc)));
}

void point_seal_at(std::span<std::byte> seal_block, std::span<const std::byte> body) {
  store_le(seal_block, kSealBodyBlocks, static_cast<std::uint32_t>(body.size() / kBlockBytes));
  store_le(seal_block, kSealBodyCrc, crc32c(body));
}

std::size_t blocks_named_by(std::span<const std::byte> seal_block) {
  return std::clamp<std::size_t>(load_le<std::uint32_t>(seal_block, kSealBodyBlocks), 1,
                                 format::kBodyBlocks);
}

void reseal_identity(std::span<std::byte> section) {
  if (section.size() != format::kIdentityBytes) return;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto print = section.subspan(kIdentityFingerprints + i * format::kFingerprintBytes,
                                       format::kFingerprintBytes);
    const Sha256 digest = sha256(print.first(kFingerprintSummed));
    move(print.subspan(kFingerprintDigest), digest);
  }
}

void reseal_body(std::span<std::byte> body, BodyLevels levels) {
  const std::size_t count = body.size() / kBlockBytes;
  if (levels.fingerprints || levels.sections) {
    std::vector<std::byte> stream(count * kPayloadBytes);
    const auto payload = [&](std::size_t i) {
      return body.subspan(i * kBlockBytes + kBlockHeaderBytes, kPayloadBytes);
    };
    const auto part = [&](std::size_t i) {
      return std::span(stream).subspan(i * kPayloadBytes, kPayloadBytes);
    };
    for (std::size_t i = 0; i < count; ++i) move(part(i), payload(i));
    reseal_sections(stream, levels);
    for (std::size_t i = 0; i < count; ++i) move(payload(i), part(i));
  }
  if (!levels.blocks) return;
  for (std::size_t i = 0; i < count; ++i) {
    const auto block = body.subspan(i * kBlockBytes, kBlockBytes);
    store_le(block, 0, crc32c(block.subspan(4)));
  }
}

}  // namespace dmremap::fuzz
