// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/evidence/evidence_check.hpp"

#include "base/aligned_buffer.hpp"
#include "base/checksum.hpp"
#include "base/endian.hpp"

namespace dmremap::remap {

namespace {

// More than any block of a disk has; evidence that says otherwise comes from damaged bytes.
constexpr SectorCount kLargestBlock{2048};

// What the block holds now; nothing, if it cannot be read.
std::optional<std::uint64_t> read_hash(io::BlockDevice& device, SectorRange block) {
  AlignedBuffer buffer(block.count.bytes());
  if (!device.read(block.first, buffer.span()).ok()) return std::nullopt;
  return hash_of(buffer.span());
}

bool can_be_asked(const io::Geometry& geometry, SectorRange block) {
  const std::uint64_t unit = geometry.unit().value;
  return !block.empty() && block.count <= kLargestBlock && block.first.value % unit == 0 &&
         block.count.value % unit == 0 && block.first.value <= geometry.size.value &&
         block.count.value <= geometry.size.value - block.first.value;
}

}  // namespace

std::uint64_t hash_of(std::span<const std::byte> contents) {
  return load_le<std::uint64_t>(std::span<const std::byte>(sha256(contents)), 0);
}

std::optional<format::Evidence> to_format(std::span<const BlockHash> evidence) {
  if (evidence.empty()) return std::nullopt;
  format::Evidence out;
  out.block = evidence.front().block.count;
  for (const BlockHash& known : evidence) {
    // The section has one length for all of its blocks.
    if (known.block.count != out.block || out.blocks.size() == kMostEvidence) continue;
    out.blocks.push_back({known.block.first, known.hash});
  }
  return out;
}

std::vector<BlockHash> from_format(const format::Evidence& evidence) {
  std::vector<BlockHash> out;
  for (const format::EvidenceBlock& known : evidence.blocks) {
    out.push_back({{known.first, evidence.block}, known.hash});
  }
  return out;
}

EvidenceComparison compare_evidence(io::BlockDevice& device, std::span<const BlockHash> evidence) {
  EvidenceComparison out;
  for (const BlockHash& known : evidence) {
    if (!can_be_asked(device.geometry(), known.block)) continue;
    auto now = read_hash(device, known.block);
    // Contents that read wrong once, on the bus say, are not other contents.
    if (now && *now != known.hash) now = read_hash(device, known.block);
    if (!now) continue;
    // Counts as compared also where it differs: a mismatch is an answer.
    ++out.compared;
    if (*now == known.hash) continue;
    out.mismatch = known.block;
    return out;
  }
  return out;
}

}  // namespace dmremap::remap
