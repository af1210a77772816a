// SPDX-License-Identifier: GPL-2.0-or-later
// The store over one spare, used inside src/metadata only. Before the first commit its creator says
// on which commit that builds: by settle(), by start_from(), or, for a new set, by the seal given
// to the first advance().
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

// Overwrites every seal with zeros, so that no copy of a set that was given up, or that could not
// be created completely, still looks like a set. Errors are ignored: what cannot be written cannot
// be erased either.
void erase_seals(io::BlockDevice& spare, const format::CopyPositions& positions);

class SpareStore final : public Store {
 public:
  SpareStore(io::BlockDevice& spare, const format::CopyPositions& positions, Random& random,
             Clock& clock)
      : spare_(spare), writer_(spare, positions), random_(random), clock_(clock) {}

  Result<CommitName> commit(const format::Records& records, const table::Table& table) override;
  Result<void> check_alone() override;
  Result<SlotDamage> check_copy(unsigned copy) override;
  Result<void> prepare_growth(SectorCount size) override;
  [[nodiscard]] CommitName current() const override;
  [[nodiscard]] KnownCommits known_commits() const override;
  void doubt_all_copies() override;
  [[nodiscard]] CopyCount copies() const override;
  [[nodiscard]] std::string read_only_reason() const override;

  // Brings the winner onto a quorum of copies in its own column. Must succeed before the other
  // column is written. `holders` are the copies that hold it already; `entries` is its table as it
  // lies on disk.
  Result<void> settle(const std::shared_ptr<const CommitImage>& winner,
                      const std::vector<format::Extent>& entries, CopySet holders);

  // Writes the commit whose sequence and term `seal` gives, and fills in id, time and parent. If no
  // quorum holds it then, it is written once more, byte for byte the same.
  Result<CommitName> advance(const format::Seal& seal, const format::Records& records,
                             const table::Table& table);
  // Sets what the first advance() builds on: the table as it lies on disk, and the id of the commit
  // that becomes its parent.
  void start_from(const std::vector<format::Extent>& entries, CommitId parent);

  // The copies verified to hold the current commit; contains a quorum.
  [[nodiscard]] CopySet held() const { return held_; }

 private:
  // Writes the table in image_ with `records` as the commit that `seal` names.
  Result<CommitName> write(format::Seal seal, const format::Records& records);
  // True if the changed entries lie on the devices, so that a reader will accept them. All entries
  // are checked in the first commit, and after the devices changed in size.
  [[nodiscard]] bool is_sound(const format::Records& records, const table::Table& table,
                              const format::TableChange& change) const;
  void acknowledge(const std::shared_ptr<const CommitImage>& image, CopySet held);
  void note_undecided(const CommitName& commit);
  // The copy whose turn it is to be read again before a commit.
  [[nodiscard]] unsigned next_copy_to_check() const;
  Result<void> check_for_foreign_writer();
  // Reads all copies again that the last commit verified. Called when one of them, `checked`, was
  // found to be something else than whole (`found`), or when all are in doubt.
  Result<void> check_all_copies(unsigned checked, CommitWriter::CopyState found);
  // The error for a spare that did not answer, where nothing was written that a reader could find.
  // The store stays usable and checks all copies before its next commit.
  Result<void> fail_for_now(std::string what);
  Result<void> foreign_writer(unsigned copy);
  Result<void> go_read_only(std::string reason);

  io::BlockDevice& spare_;
  CommitWriter writer_;
  Random& random_;
  Clock& clock_;
  // The table of the last commit, as it is in memory and as it lies on disk. table_ is empty until
  // the first commit of this store: until then image_ is what an earlier run wrote.
  std::optional<table::Table> table_;
  format::TableImage image_;
  // Sizes of main and the spare when all entries of table_ were last checked to lie on them.
  std::pair<SectorCount, SectorCount> sizes_;
  // The parent of the first commit; later ones take the id of last_.
  CommitId parent_;
  // The last acknowledged commit, and the copies that were verified to hold it.
  std::shared_ptr<const CommitImage> last_;
  CopySet held_;
  // True while the spare may have been away. What was only in the cache of a drive that lost power
  // is lost, so no copy in held_ is trusted before all of them were read again.
  bool all_are_in_doubt_ = false;
  std::atomic<unsigned> good_copies_{0};
  // Guards last_, undecided_ and read_only_reason_, which other threads read.
  mutable std::mutex mutex_;
  // A commit whose seals were issued and that reached no quorum. Nothing is committed after it.
  std::optional<CommitName> undecided_;
  std::string read_only_reason_;
};

}  // namespace dmremap::metadata
