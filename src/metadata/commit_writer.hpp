// SPDX-License-Identifier: GPL-2.0-or-later
// Writes one commit into one column of chosen copies, and finds out where it really is.
//
// What a crash leaves, step by step:
//   bodies    the column's slots torn or still the commit before last; the other column untouched
//   flush
//   seals     wave by wave, a flush after each until a quorum is durable: the new commit whole on
//             some copies. No wave contains a quorum, so what is in flight can never unsettle one
//   read back copies that do not return what was written do not count
//
// The last wave finds a quorum durable and is left to the next flush: that of the next commit's
// bodies at the latest, before any other seal is touched.
//
// What does not wait for a flush goes to all copies at once.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/result.hpp"
#include "format/body.hpp"
#include "format/seal.hpp"
#include "io/block_device.hpp"
#include "metadata/quorum.hpp"

namespace dmremap::metadata {

// A commit ready to be written anywhere: the seal but for its place, and the body blocks, which it
// shares with the commits before it as far as they did not change.
struct CommitImage {
  format::Seal seal;
  format::BodyBlocks blocks;
};

// Of a body as it was read; its size is a multiple of a block's.
[[nodiscard]] std::shared_ptr<const CommitImage> make_image(const format::Seal& seal,
                                                            std::span<const std::byte> body);
// `seal` but for the count of blocks and the checksum, which are those of `body`.
[[nodiscard]] std::shared_ptr<const CommitImage> make_image(format::Seal seal,
                                                            format::EncodedBody body);

// Not thread-safe.
class CommitWriter {
 public:
  CommitWriter(io::BlockDevice& device, const format::CopyPositions& positions)
      : device_(device), positions_(positions) {}

  // Writes `image` to the column of its sequence in every copy of `targets`, but for the blocks a
  // slot is known to hold already. Returns the copies that were read back verified; a copy that
  // fails is left out, not an error. If they contain a quorum, durable ones among them do. If too
  // few bodies are taken to make a quorum, with the copies outside of `targets`, no seal is written
  // at all. Error io: a flush failed, and nothing may be written any more.
  Result<CopySet> write(const std::shared_ptr<const CommitImage>& image, CopySet targets);
  // True if the last write() issued a seal: from then on the commit may exist. False: whatever
  // became of the bodies, no reader can find that commit, and its number is still free.
  [[nodiscard]] bool has_sealed() const { return has_sealed_; }

  // Re-reads the seal of `image` on `copy`.
  enum class SealNow { same, unreadable, damaged, older, other };
  [[nodiscard]] SealNow look_again(const CommitImage& image, unsigned copy);
  // Re-reads the seal and the whole body of `image` on `copy`, the blocks that no commit wrote
  // lately included.
  //   whole       as it was verified
  //   unreadable  the device gives an error, which says nothing of what lies there
  //   wrong       damaged, or gone back to an earlier commit: a write was dropped or misdirected
  //   foreign     a later commit, or one of another writer
  enum class CopyNow { whole, unreadable, wrong, foreign };
  [[nodiscard]] CopyNow look_at_copy(const CommitImage& image, unsigned copy);
  // `copy` did not keep what was verified on it: the next commits write it whole again.
  void forget(unsigned copy);
  // True if the other column of `copy` holds a seal of this device later than `image`, or one of a
  // newer format.
  [[nodiscard]] bool is_overtaken(const CommitImage& image, unsigned copy);

 private:
  // Each does all its copies at once, and returns those on which it succeeded.
  CopySet write_bodies(const CommitImage& image, CopySet copies);
  CopySet write_seals(const CommitImage& image, CopySet copies);
  CopySet verify(const CommitImage& image, CopySet copies);
  // What must be read back from where; the copies that return something else are added to `failed`.
  struct Expected {
    unsigned copy = 0;
    Sector at;
    std::span<const std::byte> bytes;
  };
  void compare(std::span<const Expected> batch, CopySet& failed);
  [[nodiscard]] std::vector<Expected> written(const CommitImage& image, CopySet copies);
  [[nodiscard]] std::span<std::byte> seal_block(unsigned copy) {
    return seal_blocks_.span().subspan(copy * format::kBlockBytes, format::kBlockBytes);
  }
  // The part of write_buffer_ where the blocks of `run` lie while they are written.
  [[nodiscard]] std::span<std::byte> bytes_of(const std::pair<std::size_t, std::size_t>& run) {
    return write_buffer_.span().subspan(run.first * format::kBlockBytes,
                                        (run.second - run.first) * format::kBlockBytes);
  }
  // Runs of blocks of `image` that the slot is not known to hold: [first, end) pairs.
  using BlockRun = std::pair<std::size_t, std::size_t>;
  [[nodiscard]] std::vector<BlockRun> missing_blocks(const CommitImage& image, unsigned copy) const;
  [[nodiscard]] format::SlotAddress address(const CommitImage& image, unsigned copy) const {
    return {copy, format::column_of(image.seal.sequence)};
  }

  io::BlockDevice& device_;
  format::CopyPositions positions_;
  // What each slot holds, where that was verified.
  std::array<std::array<std::shared_ptr<const CommitImage>, format::kSlots>, format::kCopies>
      known_{};
  std::array<std::vector<BlockRun>, format::kCopies> written_{};
  bool has_sealed_ = false;
  AlignedBuffer seal_blocks_{format::kCopies * format::kBlockBytes};
  // What is written of the body, each block where it lies in a body: the copies mostly lack the
  // same blocks, and what adjoins is one write.
  AlignedBuffer write_buffer_{format::kBodyBytes};
  AlignedBuffer read_back_{format::kBodyBytes};
};

}  // namespace dmremap::metadata
