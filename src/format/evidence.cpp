// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/evidence.hpp"

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"
#include "format/extent.hpp"

namespace dmremap::format {

namespace {

constexpr std::size_t kTerm = 0;
constexpr std::size_t kCount = 8;
constexpr std::size_t kBlock = 12;
constexpr std::size_t kZero = 16;
constexpr std::size_t kBlocks = 32;
constexpr std::size_t kBlockBytes = 16;
static_assert(kBlocks + kMaxEvidenceBlocks * kBlockBytes == kEvidenceBytes);

}  // namespace

void pack_evidence(const Evidence& evidence, std::uint64_t term, std::span<std::byte> out) {
  DMREMAP_ASSERT(out.size() == kEvidenceBytes && evidence.blocks.size() <= kMaxEvidenceBlocks);
  store_le(out, kTerm, term);
  store_le(out, kCount, static_cast<std::uint32_t>(evidence.blocks.size()));
  store_le(out, kBlock, static_cast<std::uint32_t>(evidence.block.value));
  for (std::size_t i = 0; i < evidence.blocks.size(); ++i) {
    const auto at = out.subspan(kBlocks + i * kBlockBytes, kBlockBytes);
    store_le(at, 0, evidence.blocks[i].first.value);
    store_le(at, 8, evidence.blocks[i].hash);
  }
}

std::optional<Evidence> unpack_evidence(std::span<const std::byte> from, std::uint64_t term) {
  if (from.size() != kEvidenceBytes || load_le<std::uint64_t>(from, kTerm) != term) {
    return std::nullopt;
  }
  const std::size_t count = load_le<std::uint32_t>(from, kCount);
  Evidence out;
  out.block = {load_le<std::uint32_t>(from, kBlock)};
  if (count > kMaxEvidenceBlocks || out.block.value == 0 ||
      !all_zero(from.subspan(kZero, kBlocks - kZero)) ||
      !all_zero(from.subspan(kBlocks + count * kBlockBytes))) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = from.subspan(kBlocks + i * kBlockBytes, kBlockBytes);
    const EvidenceBlock block{{load_le<std::uint64_t>(at, 0)}, load_le<std::uint64_t>(at, 8)};
    if (block.first.value > kMaxSector) return std::nullopt;
    out.blocks.push_back(block);
  }
  return out;
}

}  // namespace dmremap::format
