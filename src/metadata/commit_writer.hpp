// SPDX-License-Identifier: GPL-2.0-or-later
// Writes one commit into one column of chosen copies, and finds out which copies really hold it.
//
// A crash at any step leaves the other column, which holds the commit before, untouched. In the
// column that is written it leaves:
//   bodies    slots that are torn or still hold the commit before last. Their seals name that
//             commit, which is an earlier one, so that they stay settled
//   flush     the same; the bodies are durable from here on
//   seals     the new commit whole on some copies. Seals are written wave by wave, with a flush
//             after each wave until a quorum is durable. No wave contains a quorum, so that the
//             seals in flight can never unsettle a quorum of slots
//   read back as after the seals; a copy that does not return what was written does not count
//
// The last wave finds a quorum durable already and gets no flush of its own. The flush after the
// bodies of the next commit covers it at the latest, before any other seal is written.
//
// Writes that need not wait for a flush of one another are issued for all copies at once.
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

// A commit that can be written to any slot. `seal` is complete but for copy, slot and byte offset,
// which write() fills in for each place. `blocks` are the blocks of the body; those that did not
// change are shared with the images of earlier commits.
struct CommitImage {
  format::Seal seal;
  format::BodyBlocks blocks;
};

// The image of a commit that was read from the spare. The size of `body` is a multiple of a
// block's.
[[nodiscard]] std::shared_ptr<const CommitImage> make_image(const format::Seal& seal,
                                                            std::span<const std::byte> body);
// The image of a new commit. The count of blocks and the checksum in `seal` are taken from `body`.
[[nodiscard]] std::shared_ptr<const CommitImage> make_image(format::Seal seal,
                                                            format::EncodedBody body);

// Not thread-safe.
class CommitWriter {
 public:
  CommitWriter(io::BlockDevice& device, const format::CopyPositions& positions)
      : device_(device), positions_(positions) {}

  // Writes `image` to the column of its sequence in every copy of `targets`, except the blocks that
  // a slot is known to hold already. Returns the copies that were read back verified; a copy that
  // fails is left out, which is not an error. If the returned copies contain a quorum, then those
  // of them that are durable contain one too. If the bodies that could be written, together with
  // the copies outside of `targets`, are no quorum, no seal is written at all. Error io: a flush
  // failed, and nothing may be written any more.
  Result<CopySet> write(const std::shared_ptr<const CommitImage>& image, CopySet targets);
  // True if the last write() issued a seal: from then on a reader may find the commit. If false, no
  // reader can find it, whichever bodies were written, and its number is still free.
  [[nodiscard]] bool has_sealed() const { return has_sealed_; }

  // Reads the seal of `image` on `copy` again.
  //   same        the seal that was written
  //   unreadable  the device gives an error
  //   damaged     does not check, or names another place
  //   older       names an earlier commit: a write was dropped or lost
  //   other       of a later commit, another set, or a newer format: another program wrote it
  enum class SealState { same, unreadable, damaged, older, other };
  [[nodiscard]] SealState recheck_seal(const CommitImage& image, unsigned copy);
  // Reads the seal and the whole body of `image` on `copy` again, including the blocks that no
  // recent commit wrote.
  //   whole       as it was verified
  //   unreadable  the device gives an error, which says nothing about what is stored there
  //   wrong       damaged, or gone back to an earlier commit: a write was dropped or misdirected
  //   foreign     a later commit, or one of another writer
  enum class CopyState { whole, unreadable, wrong, foreign };
  [[nodiscard]] CopyState recheck_copy(const CommitImage& image, unsigned copy);
  // The same of the column that `image` is not in, where a former commit or none lies.
  [[nodiscard]] CopyState recheck_former(const CommitImage& image, unsigned copy);
  // Reads a slot that was never verified, and cannot be compared with what it ought to hold:
  // `whole` is `image` itself in its own column, and any whole earlier commit in the other one.
  // `foreign` is a later commit; what else is not of this set may have been there before.
  [[nodiscard]] CopyState look_at_slot(const CommitImage& image, format::SlotAddress at);
  // Drops what is known about `copy`, which did not keep what was verified on it. The next commits
  // then write all its blocks again.
  void forget(unsigned copy);
  // True if the other column of `copy` holds a seal of this device later than `image`, or one of a
  // newer format.
  [[nodiscard]] bool is_overtaken(const CommitImage& image, unsigned copy);

 private:
  // Each of these issues the I/O of all copies at once and returns the copies on which it
  // succeeded.
  CopySet write_bodies(const CommitImage& image, CopySet copies);
  CopySet write_seals(const CommitImage& image, CopySet copies);
  CopySet verify(const CommitImage& image, CopySet copies);
  // Bytes that must be read back from `at` on `copy`. compare() adds the copies that return
  // anything else to `failed`.
  struct ExpectedBytes {
    unsigned copy = 0;
    Sector at;
    std::span<const std::byte> bytes;
  };
  void compare(std::span<const ExpectedBytes> batch, CopySet& failed);
  [[nodiscard]] std::vector<ExpectedBytes> expected_bytes(const CommitImage& image, CopySet copies);
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
  // The image that each slot was verified to hold; null where that is not known.
  std::array<std::array<std::shared_ptr<const CommitImage>, format::kSlots>, format::kCopies>
      known_{};
  // The blocks that the current write() wrote to each copy, which verify() reads back.
  std::array<std::vector<BlockRun>, format::kCopies> written_runs_{};
  bool has_sealed_ = false;
  AlignedBuffer seal_blocks_{format::kCopies * format::kBlockBytes};
  // The body blocks being written, each at its offset in a body. All copies share this buffer,
  // since they mostly lack the same blocks; adjacent blocks are one write.
  AlignedBuffer write_buffer_{format::kBodyBytes};
  AlignedBuffer read_back_{format::kBodyBytes};
};

}  // namespace dmremap::metadata
