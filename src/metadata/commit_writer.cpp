// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/commit_writer.hpp"

#include <algorithm>
#include <cstring>

#include "metadata/slot_reader.hpp"

namespace dmremap::metadata {

using format::kBlockBytes;

namespace {

bool equal(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// Commits share the blocks that did not change, so that comparing the pointers mostly suffices. The
// bytes of blocks that are equal but were encoded twice are compared.
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

// The copies of which at least one write failed. `copy_of[i]` is the copy that `ops[i]` wrote.
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
    written_runs_[copy] = missing_blocks(image, copy);
    // From here on the slot is a mixture. It is known again only once it was read back.
    known_[copy][at.slot].reset();
    for (const BlockRun& run : written_runs_[copy]) {
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
    // Each seal names its own place, so that one that a drive wrote or returns elsewhere is
    // noticed.
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

std::vector<CommitWriter::ExpectedBytes> CommitWriter::expected_bytes(const CommitImage& image,
                                                                      CopySet copies) {
  std::vector<ExpectedBytes> out;
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (!copies.contains(copy)) continue;
    const auto at = address(image, copy);
    out.push_back({copy, format::slot_sector(positions_, at),
                   seal_blocks_.span().subspan(copy * kBlockBytes, kBlockBytes)});
    for (const BlockRun& run : written_runs_[copy]) {
      out.push_back({copy, format::body_sector(positions_, at) + blocks_to_sectors(run.first),
                     bytes_of(run)});
    }
  }
  return out;
}

CopySet CommitWriter::verify(const CommitImage& image, CopySet copies) {
  const std::vector<ExpectedBytes> all = expected_bytes(image, copies);
  CopySet failed;
  // Reads as much at once as read_back_ has room for. One piece is never longer than a body, so
  // that every batch has at least one.
  std::span<const ExpectedBytes> rest(all);
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

void CommitWriter::compare(std::span<const ExpectedBytes> batch, CopySet& failed) {
  std::vector<io::ReadOp> ops;
  std::size_t offset = 0;
  for (const ExpectedBytes& expected : batch) {
    ops.push_back({expected.at, read_back_.span().subspan(offset, expected.bytes.size())});
    offset += expected.bytes.size();
  }
  device_.read_many(ops);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!ops[i].status.ok() || !equal(ops[i].out, batch[i].bytes)) failed.add(batch[i].copy);
  }
}

CommitWriter::CopyState CommitWriter::recheck_copy(const CommitImage& image, unsigned copy) {
  switch (recheck_seal(image, copy)) {
    // Only a seal that is still ours says that the body should be ours as well.
    case SealState::same:
      break;
    case SealState::unreadable:
      return CopyState::unreadable;
    case SealState::damaged:
    case SealState::older:
      return CopyState::wrong;
    case SealState::other:
      return CopyState::foreign;
  }
  // All blocks are compared, because a drive may lose or overwrite one that no recent commit wrote.
  const auto back = read_back_.span().first(image.seal.body_blocks * kBlockBytes);
  if (!device_.read(format::body_sector(positions_, address(image, copy)), back).ok()) {
    return CopyState::unreadable;
  }
  for (std::size_t i = 0; i < image.blocks.size(); ++i) {
    if (!equal(back.subspan(i * kBlockBytes, kBlockBytes), image.blocks[i]->bytes())) {
      return CopyState::wrong;
    }
  }
  return CopyState::whole;
}

CommitWriter::CopyState CommitWriter::recheck_former(const CommitImage& image, unsigned copy) {
  const unsigned column = 1 - format::column_of(image.seal.sequence);
  // A copy of the pointer, since what is known may be dropped meanwhile.
  const std::shared_ptr<const CommitImage> known = known_[copy][column];
  return known ? recheck_copy(*known, copy) : look_at_slot(image, {copy, column});
}

CommitWriter::CopyState CommitWriter::look_at_slot(const CommitImage& image,
                                                   format::SlotAddress at) {
  SlotReader reader(device_);
  const SlotReading slot = reader.read(at, format::slot_sector(positions_, at));
  if (slot.seal_unreadable || slot.body_unreadable) return CopyState::unreadable;
  // An opening refuses a set with such a slot, so this one was written since.
  if (slot.seal.check == format::SealCheck::newer_format || slot.newer_body) {
    return CopyState::foreign;
  }
  const format::Seal& seal = slot.seal.seal;
  const bool is_ours = slot.seal.check == format::SealCheck::ok && slot.in_place &&
                       seal.set_uuid == image.seal.set_uuid &&
                       seal.device_uuid == image.seal.device_uuid;
  if (!is_ours) return CopyState::wrong;
  const bool is_own_column = at.slot == format::column_of(image.seal.sequence);
  if (seal.commit == image.seal.commit) {
    return is_own_column && slot.body ? CopyState::whole : CopyState::wrong;
  }
  // A sibling of `image`, begun by an opening that was cut short, may lie where nothing can be
  // written.
  if (order_of(seal) > order_of(image.seal)) return CopyState::foreign;
  return !is_own_column && slot.body ? CopyState::whole : CopyState::wrong;
}

void CommitWriter::forget(unsigned copy) {
  for (auto& slot : known_[copy]) slot.reset();
}

CommitWriter::SealState CommitWriter::recheck_seal(const CommitImage& image, unsigned copy) {
  const auto at = address(image, copy);
  const Sector start = format::slot_sector(positions_, at);
  const auto block = read_back_.span().first(kBlockBytes);
  if (!device_.read(start, block).ok()) return SealState::unreadable;
  const format::SealReading now = format::unpack_seal(block);
  // This program writes no newer format, so another one did.
  if (now.check == format::SealCheck::newer_format) return SealState::other;
  if (now.check != format::SealCheck::ok) return SealState::damaged;
  const format::Seal& seal = now.seal;
  if (seal.set_uuid != image.seal.set_uuid || seal.device_uuid != image.seal.device_uuid) {
    return SealState::other;
  }
  // A seal of this device in a wrong place shows a write that the drive misdirected, not a writer.
  if (!format::belongs_at(seal, at, start)) return SealState::damaged;
  if (seal.commit == image.seal.commit) return SealState::same;
  return order_of(seal) < order_of(image.seal) ? SealState::older : SealState::other;
}

bool CommitWriter::is_overtaken(const CommitImage& image, unsigned copy) {
  const format::SlotAddress at{copy, 1 - format::column_of(image.seal.sequence)};
  const auto block = read_back_.span().first(kBlockBytes);
  if (!device_.read(format::slot_sector(positions_, at), block).ok()) return false;
  const format::SealReading now = format::unpack_seal(block);
  // An opening refuses a set with such a seal, so this one was written since.
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
  // Bodies first. A crash here leaves slots of this column torn, under seals of the commit before
  // last, which are settled; the commit before this one is whole in the other column.
  const CopySet bodies = write_bodies(*image, targets);
  // With too few bodies the seals would only name a commit that no quorum can hold. When only some
  // copies are written, the others count as holders: a repair writes just those that lack it.
  if (!contains_quorum(bodies | (kAllCopies - targets))) return CopySet{};
  // A seal must never be durable before its body is: a crash would leave a slot that names the new
  // commit and is torn, hence unsettled. After this flush a crash still leaves the earlier seals.
  if (!flush()) return flush_failed();
  CopySet sealed;
  CopySet durable;
  for (const CopySet wave : kSealWaves) {
    const CopySet now = wave & bodies;
    if (now.size() == 0) continue;
    // A crash during a wave leaves this commit whole on the copies of the waves before and on any
    // part of this one. What the crash tears is less than a quorum, so it cannot make the set
    // doubtful by itself: the next opening takes this commit if it finds it whole, else the one
    // before.
    has_sealed_ = true;
    sealed = sealed | write_seals(*image, now);
    // Once a quorum is durable, the seals that remain become so with the next flush of the spare,
    // whatever asks for it. A power cut before that leaves earlier commits in their slots.
    if (contains_quorum(durable)) continue;
    if (!flush()) return flush_failed();
    durable = sealed;
  }
  // A drive may drop or misdirect a write and report success. Only a copy that returns what was
  // written counts.
  const CopySet verified = verify(*image, sealed);
  // If a durable copy fails that check, the quorum may rest on a seal of the last wave. Then that
  // seal is flushed before the commit can be acknowledged.
  if (!contains_quorum(verified & durable) && durable != sealed && !flush()) {
    return flush_failed();
  }
  // From now on the next write to these slots may leave out the blocks that do not change.
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (verified.contains(copy)) known_[copy][format::column_of(image->seal.sequence)] = image;
  }
  return verified;
}

}  // namespace dmremap::metadata
