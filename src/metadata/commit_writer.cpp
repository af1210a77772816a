// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/commit_writer.hpp"

#include <algorithm>
#include <cstring>

namespace dmremap::metadata {

using format::kBlockBytes;

namespace {

bool equal(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// Commits share the blocks that did not change; equal ones that were encoded twice are few.
bool equal(const std::shared_ptr<const format::BodyBlock>& a,
           const std::shared_ptr<const format::BodyBlock>& b) {
  return a == b || equal(a->bytes(), b->bytes());
}

std::pair<std::uint64_t, std::uint64_t> order_of(const format::Seal& seal) {
  return {seal.sequence, seal.term};
}

SectorCount blocks_to_sectors(std::size_t blocks) {
  return {blocks * format::kBlockSectors.value};
}

// `copy_of` says for each op which copy it wrote.
CopySet failed_copies(std::span<const io::WriteOp> ops, std::span<const unsigned> copy_of) {
  CopySet out;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!ops[i].status.ok()) out.add(copy_of[i]);
  }
  return out;
}

}  // namespace

std::shared_ptr<const CommitImage> make_image(const format::Seal& seal,
                                              std::span<const std::byte> body) {
  auto image = std::make_shared<CommitImage>(CommitImage{seal, {}});
  for (; !body.empty(); body = body.subspan(kBlockBytes)) {
    image->blocks.push_back(std::make_shared<const format::BodyBlock>(body.first(kBlockBytes)));
  }
  return image;
}

std::shared_ptr<const CommitImage> make_image(format::Seal seal, format::EncodedBody body) {
  seal.body_blocks = static_cast<std::uint32_t>(body.blocks.size());
  seal.body_crc = body.crc;
  return std::make_shared<const CommitImage>(CommitImage{seal, std::move(body.blocks)});
}

std::vector<CommitWriter::BlockRun> CommitWriter::missing_blocks(const CommitImage& image,
                                                                 unsigned copy) const {
  const auto& known = known_[copy][format::column_of(image.seal.sequence)];
  const std::size_t known_blocks = known ? known->blocks.size() : 0;
  std::vector<BlockRun> runs;
  for (std::size_t i = 0; i < image.blocks.size(); ++i) {
    if (i < known_blocks && equal(known->blocks[i], image.blocks[i])) continue;
    if (!runs.empty() && runs.back().second == i) {
      ++runs.back().second;
    } else {
      runs.emplace_back(i, i + 1);
    }
  }
  return runs;
}

CopySet CommitWriter::write_bodies(const CommitImage& image, CopySet copies) {
  std::vector<io::WriteOp> ops;
  std::vector<unsigned> copy_of;
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (!copies.contains(copy)) continue;
    const auto at = address(image, copy);
    const Sector body = format::body_sector(positions_, at);
    written_[copy] = missing_blocks(image, copy);
    known_[copy][at.slot].reset();
    for (const BlockRun& run : written_[copy]) {
      const std::span<std::byte> bytes = bytes_of(run);
      for (std::size_t i = run.first; i < run.second; ++i) {
        std::ranges::copy(image.blocks[i]->bytes(),
                          bytes.subspan((i - run.first) * kBlockBytes).begin());
      }
      ops.push_back({body + blocks_to_sectors(run.first), bytes});
      copy_of.push_back(copy);
    }
  }
  device_.write_many(ops);
  return copies - failed_copies(ops, copy_of);
}

CopySet CommitWriter::write_seals(const CommitImage& image, CopySet copies) {
  std::vector<io::WriteOp> ops;
  std::vector<unsigned> copy_of;
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (!copies.contains(copy)) continue;
    const auto at = address(image, copy);
    format::Seal seal = image.seal;
    seal.copy = static_cast<std::uint8_t>(at.copy);
    seal.slot = static_cast<std::uint8_t>(at.slot);
    seal.byte_offset = format::slot_sector(positions_, at).byte_offset();
    format::pack_seal(seal, seal_block(copy));
    ops.push_back({format::slot_sector(positions_, at), seal_block(copy)});
    copy_of.push_back(copy);
  }
  device_.write_many(ops);
  return copies - failed_copies(ops, copy_of);
}

std::vector<CommitWriter::Expected> CommitWriter::written(const CommitImage& image,
                                                          CopySet copies) {
  std::vector<Expected> out;
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (!copies.contains(copy)) continue;
    const auto at = address(image, copy);
    out.push_back({copy, format::slot_sector(positions_, at),
                   seal_blocks_.span().subspan(copy * kBlockBytes, kBlockBytes)});
    for (const BlockRun& run : written_[copy]) {
      out.push_back({copy, format::body_sector(positions_, at) + blocks_to_sectors(run.first),
                     bytes_of(run)});
    }
  }
  return out;
}

CopySet CommitWriter::verify(const CommitImage& image, CopySet copies) {
  const std::vector<Expected> all = written(image, copies);
  CopySet failed;
  // As much at once as there is memory to read into; one piece is never longer than a body.
  std::span<const Expected> rest(all);
  while (!rest.empty()) {
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < rest.size(); ++count) {
      bytes += rest[count].bytes.size();
      if (bytes > read_back_.size()) break;
    }
    compare(rest.first(count), failed);
    rest = rest.subspan(count);
  }
  return copies - failed;
}

void CommitWriter::compare(std::span<const Expected> batch, CopySet& failed) {
  std::vector<io::ReadOp> ops;
  std::size_t offset = 0;
  for (const Expected& expected : batch) {
    ops.push_back({expected.at, read_back_.span().subspan(offset, expected.bytes.size())});
    offset += expected.bytes.size();
  }
  device_.read_many(ops);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!ops[i].status.ok() || !equal(ops[i].out, batch[i].bytes)) failed.add(batch[i].copy);
  }
}

CommitWriter::CopyNow CommitWriter::look_at_copy(const CommitImage& image, unsigned copy) {
  switch (look_again(image, copy)) {
    case SealNow::same:
      break;
    case SealNow::unreadable:
      return CopyNow::unreadable;
    case SealNow::damaged:
    case SealNow::older:
      return CopyNow::wrong;
    case SealNow::other:
      return CopyNow::foreign;
  }
  const auto back = read_back_.span().first(image.seal.body_blocks * kBlockBytes);
  if (!device_.read(format::body_sector(positions_, address(image, copy)), back).ok()) {
    return CopyNow::unreadable;
  }
  for (std::size_t i = 0; i < image.blocks.size(); ++i) {
    if (!equal(back.subspan(i * kBlockBytes, kBlockBytes), image.blocks[i]->bytes())) {
      return CopyNow::wrong;
    }
  }
  return CopyNow::whole;
}

void CommitWriter::forget(unsigned copy) {
  for (auto& slot : known_[copy]) slot.reset();
}

CommitWriter::SealNow CommitWriter::look_again(const CommitImage& image, unsigned copy) {
  const auto at = address(image, copy);
  const Sector start = format::slot_sector(positions_, at);
  const auto block = read_back_.span().first(kBlockBytes);
  if (!device_.read(start, block).ok()) return SealNow::unreadable;
  const format::SealReading now = format::unpack_seal(block);
  if (now.check == format::SealCheck::newer_format) return SealNow::other;
  if (now.check != format::SealCheck::ok) return SealNow::damaged;
  const format::Seal& seal = now.seal;
  if (seal.set_uuid != image.seal.set_uuid || seal.device_uuid != image.seal.device_uuid) {
    return SealNow::other;
  }
  if (!format::belongs_at(seal, at, start)) return SealNow::damaged;
  if (seal.commit == image.seal.commit) return SealNow::same;
  return order_of(seal) < order_of(image.seal) ? SealNow::older : SealNow::other;
}

bool CommitWriter::is_overtaken(const CommitImage& image, unsigned copy) {
  const format::SlotAddress at{copy, 1 - format::column_of(image.seal.sequence)};
  const auto block = read_back_.span().first(kBlockBytes);
  if (!device_.read(format::slot_sector(positions_, at), block).ok()) return false;
  const format::SealReading now = format::unpack_seal(block);
  // At opening there was none: an opening refuses them.
  if (now.check == format::SealCheck::newer_format) return true;
  return now.check == format::SealCheck::ok && now.seal.set_uuid == image.seal.set_uuid &&
         now.seal.device_uuid == image.seal.device_uuid &&
         order_of(now.seal) > order_of(image.seal);
}

Result<CopySet> CommitWriter::write(const std::shared_ptr<const CommitImage>& image,
                                    CopySet targets) {
  const auto flush = [&] { return device_.flush().ok(); };
  const auto flush_failed = [&] {
    return fail(ErrorCode::io, "a flush of the spare failed", device_.path(),
                "what it covered cannot be trusted: stop the set and check the spare");
  };
  has_sealed_ = false;
  const CopySet bodies = write_bodies(*image, targets);
  // Without enough bodies the seals would only name a commit that no quorum holds. A crash here
  // leaves the slots of this column torn, under seals of the commit before last.
  if (!contains_quorum(bodies | (kAllCopies - targets))) return CopySet{};
  if (!flush()) return flush_failed();
  CopySet sealed;
  CopySet durable;
  for (const CopySet wave : kSealWaves) {
    const CopySet now = wave & bodies;
    if (now.size() == 0) continue;
    has_sealed_ = true;
    sealed = sealed | write_seals(*image, now);
    // With a quorum durable, what is left becomes so with the next flush, whosesoever it is.
    if (contains_quorum(durable)) continue;
    if (!flush()) return flush_failed();
    durable = sealed;
  }
  const CopySet verified = verify(*image, sealed);
  if (!contains_quorum(verified & durable) && durable != sealed && !flush()) {
    return flush_failed();
  }
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (verified.contains(copy)) known_[copy][format::column_of(image->seal.sequence)] = image;
  }
  return verified;
}

}  // namespace dmremap::metadata
