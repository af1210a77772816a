// SPDX-License-Identifier: GPL-2.0-or-later
// The store over one spare; inside src/metadata. Who opens one says first from which commit it goes
// on: `settle`, or the seal given to the first `advance`.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "format/body.hpp"
#include "metadata/commit_writer.hpp"
#include "metadata/store.hpp"

namespace dmremap::metadata {

// Errors: metadata_exhausted once `last`, a sequence or a term, has no successor.
[[nodiscard]] Result<void> check_number(std::uint64_t last, std::string_view what,
                                        const std::string& where);

// No copy of a set that is given up, or that could not be made whole, may look like one. Best
// effort: what cannot be written cannot be erased either.
void erase_seals(io::BlockDevice& spare, const format::CopyPositions& positions);

class SpareStore final : public Store {
 public:
  SpareStore(io::BlockDevice& spare, const format::CopyPositions& positions, Random& random,
             Clock& clock)
      : spare_(spare), writer_(spare, positions), random_(random), clock_(clock) {}

  Result<CommitName> commit(const format::Records& records, const table::Table& table) override;
  Result<void> check_alone() override;
  [[nodiscard]] CommitName current() const override;
  [[nodiscard]] CopyCount copies() const override;
  [[nodiscard]] std::string read_only_reason() const override;

  // The winner onto a quorum of its own column, before the other column is touched. `holders` hold
  // it already; `entries` is its table as it lies on disk.
  Result<void> settle(const std::shared_ptr<const CommitImage>& winner,
                      const std::vector<format::Extent>& entries, CopySet holders);

  // Writes the commit that `seal` names (sequence and term set; id and time are given here, and the
  // parent, unless this is the first) until a quorum holds it, byte for byte the same, twice at
  // most.
  Result<CommitName> advance(const format::Seal& seal, const format::Records& records,
                             const table::Table& table);
  // Where a first `advance` finds the table, as it lies on disk, and the parent of what it writes.
  void start_from(const std::vector<format::Extent>& entries, CommitId parent);

  // The copies verified to hold the current commit; contains a quorum.
  [[nodiscard]] CopySet held() const { return held_; }

 private:
  // Writes what image_ holds now as the commit that `seal` names.
  Result<CommitName> write(format::Seal seal, const format::Records& records);
  // Could the change to the table, or the whole table where the devices changed in size, be read
  // back as it is meant?
  [[nodiscard]] bool is_sound(const format::Records& records, const table::Table& table,
                              const format::TableChange& change) const;
  void acknowledge(const std::shared_ptr<const CommitImage>& image, CopySet held);
  // The copy whose turn it is to be looked at.
  [[nodiscard]] unsigned next_to_look_at() const;
  Result<void> check_for_foreign_writer();
  // The look at all copies that the last commit verified, which one that did not look whole asks
  // for. `looked_at` was found to be `found` already.
  Result<void> check_all_copies(unsigned looked_at, CommitWriter::CopyNow found);
  // The spare did not answer, and nothing was written that anybody could find: an error that leaves
  // the store usable.
  Result<void> fail_for_now(std::string what);
  Result<void> foreign_writer(unsigned copy);
  Result<void> go_read_only(std::string reason);

  io::BlockDevice& spare_;
  CommitWriter writer_;
  Random& random_;
  Clock& clock_;
  // The table of the last commit: as it is in memory (none: image_ is of another program's run) and
  // as it lies on disk.
  std::optional<table::Table> table_;
  format::TableImage image_;
  // Of main and the spare, when all of table_ was seen to lie on them.
  std::pair<SectorCount, SectorCount> sizes_;
  CommitId parent_;
  std::shared_ptr<const CommitImage> last_;
  CopySet held_;
  // Set while the spare may have been away: until all of held_ was looked at, none of it is
  // trusted. What was only in the cache of a drive that lost power is gone.
  bool all_are_in_doubt_ = false;
  std::atomic<unsigned> good_copies_{0};
  mutable std::mutex mutex_;
  std::string read_only_reason_;
};

}  // namespace dmremap::metadata
