// SPDX-License-Identifier: GPL-2.0-or-later
// The metadata of one set on one spare, open for writing. A store makes commits; a commit is one
// complete state of the records and the table of the set. SpareStore is the implementation, and
// commit_writer.hpp says what a crash leaves at each step of a commit.
//
// Invariants
//  - A commit is acknowledged only when copies that were read back verified contain a commit
//    quorum.
//  - Commit n writes the column n mod 2, never the one that holds n-1.
//  - A sequence number is never given to other content once a seal that names it was issued: a
//    commit that missed its quorum is repeated byte for byte, or the store goes read-only and stays
//    so. If it fails before its first seal, no reader can find it, and its number stays free.
//  - Only a seal that reads well and is not ours shows another writer. A copy that cannot be read
//    shows nothing: without a quorum of readable copies commits fail until there is one again.
//  - A failed flush ends writing: nothing it covered is trusted, and nothing is written after it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "format/content.hpp"
#include "io/block_device.hpp"
#include "metadata/commit_name.hpp"
#include "metadata/survey.hpp"
#include "table/table.hpp"

namespace dmremap::metadata {

struct CopyCount {
  unsigned good = 0;  // copies that hold the winner, verified when it was written
  unsigned total = 8;
};

// The slots of one copy that are damaged, by column.
using SlotDamage = std::array<bool, format::kSlots>;

// Not thread-safe: one writer (the remapper). `current()`, `known_commits()`, `copies()` and
// `read_only_reason()` may be read by any thread.
class Store {
 public:
  // Writes the metadata of a new set to `spare`: either every slot of all eight copies is sealed
  // and verified, or it returns an error. The seals of an earlier set are erased first, also at the
  // positions `before`, which they had if the device had another size. The caller has made sure
  // that nothing on `spare` is still wanted. Error metadata_full: there are more extents than a
  // slot holds, and nothing was written. Writes only to copy areas.
  static Result<void> create(io::BlockDevice& spare, const format::Content& content, Random& random,
                             Clock& clock,
                             const std::optional<format::CopyPositions>& before = std::nullopt);

  // Opens the set that `survey` found writable: brings the winner onto a quorum of its own column,
  // then commits an activation (sequence + 1, term + 1) with `content`, which is the winner's as
  // the caller changed it. The caller serves nothing before this has succeeded. `spare` outlives
  // the store. Errors: metadata_doubtful, metadata_fork, metadata_exhausted, metadata_commit, io.
  static Result<std::unique_ptr<Store>> activate(io::BlockDevice& spare, const Survey& survey,
                                                 const format::Content& content, Random& random,
                                                 Clock& clock);

  virtual ~Store() = default;

  // Makes `records` and `table` durable. The parts that the table shares with that of the last
  // commit are neither encoded nor written again. When it returns an error, the set is either
  // unchanged on disk or it is not known which commit the next opening will find; the latter makes
  // the store read-only. Errors: metadata_full and internal (content that contradicts itself) write
  // nothing and leave the store usable. metadata_commit leaves it usable too if the spare did not
  // answer and no seal was written: then read_only_reason() stays empty, and a later commit may
  // succeed. Further errors: read_only, metadata_exhausted.
  virtual Result<CommitName> commit(const format::Records& records, const table::Table& table) = 0;

  // Checks quickly whether another program writes to the spare. The caller is about to write data
  // to sectors that are free by the last commit, which another program may have used since. Error
  // metadata_commit: the store is read-only, or, with read_only_reason() empty, the spare does not
  // answer at the moment.
  virtual Result<void> check_alone() = 0;

  // Prepares the commit that takes the spare into use up to `size`: signposts behind its end
  // (metadata/signpost.hpp). Error io: the new room takes no data there.
  virtual Result<void> prepare_growth(SectorCount /*size*/) { return {}; }

  // The last acknowledged commit, and the sequence the next one will get.
  [[nodiscard]] virtual CommitName current() const = 0;
  [[nodiscard]] std::uint64_t next_sequence() const { return current().sequence + 1; }

  // What a device must show to be the spare of this store, attached anew.
  [[nodiscard]] virtual KnownCommits known_commits() const { return {current()}; }

  // Reads both slots of `copy` again, seals and whole bodies, and writes nothing. A slot is damaged
  // if it is not as it was verified, or was never verified and is not as a healthy set's would be.
  // What is damaged counts no more, and the next two commits write it as a whole. Errors:
  // read_only; metadata_commit as of check_alone(), above all where another writer's commit is
  // found, which ends all writing, so that it stays as it is.
  virtual Result<SlotDamage> check_copy(unsigned /*copy*/) { return SlotDamage{}; }

  // The spare was attached anew, and what was only in its cache may be lost. Before the next commit
  // all copies are read again, and the next commits write them as a whole.
  virtual void doubt_all_copies() {}

  [[nodiscard]] virtual CopyCount copies() const = 0;
  // Empty while commits are possible; else why they no longer are.
  [[nodiscard]] virtual std::string read_only_reason() const = 0;
};

// How many table entries (extents + retired) fit a slot.
[[nodiscard]] std::size_t table_capacity(const format::Records& records);

}  // namespace dmremap::metadata
