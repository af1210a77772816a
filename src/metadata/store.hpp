// SPDX-License-Identifier: GPL-2.0-or-later
// The metadata of one set on one spare, open for writing: commits, and what a commit promises.
//
// Invariants
//  - A commit is acknowledged only when copies that were read back verified contain a commit
//    quorum.
//  - Commit n writes the column n mod 2, never the one that holds n-1.
//  - A sequence number is never given to other content once a seal that names it was issued: a
//    commit that missed its quorum is repeated byte for byte, or the store goes read-only and stays
//    so. Before the first seal no reader can find the commit: it fails, and the number stays free.
//  - Only a seal that reads well and is not ours shows another writer. A copy that cannot be read
//    shows nothing: without a quorum of readable ones commits fail until there is one again.
//  - A failed flush ends writing: nothing it covered is trusted, nothing is written after it.
#pragma once

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

// Not thread-safe: one writer (the remapper). `current()`, `copies()` and `read_only_reason()` may
// be read by any thread.
class Store {
 public:
  // Lays the metadata of a new set on `spare`: every slot sealed and verified, all eight copies, or
  // an error. The seals of whatever set was there are erased first, also where a device of another
  // size, `before`, would have had them. The caller has made sure that
  // nothing on `spare` is still wanted. Error metadata_full: more extents than a slot holds;
  // nothing was written. Writes only to copy areas.
  static Result<void> create(io::BlockDevice& spare, const format::Content& content, Random& random,
                             Clock& clock,
                             const std::optional<format::CopyPositions>& before = std::nullopt);

  // Opens the set that `survey` found writable: brings the winner onto a quorum of its own column,
  // then commits an activation (sequence + 1, term + 1) whose content is the winner's after
  // `prepare` has changed it. Serves nothing before that is acknowledged. `spare` outlives the
  // store. Errors: metadata_doubtful, metadata_fork, metadata_exhausted, metadata_commit, io.
  static Result<std::unique_ptr<Store>> activate(io::BlockDevice& spare, const Survey& survey,
                                                 const format::Content& content, Random& random,
                                                 Clock& clock);

  virtual ~Store() = default;

  // Makes `records` and `table` durable. What the table shares with that of the last commit is
  // neither encoded nor written again. Before it returns an error the set is either unchanged on
  // disk or uncertain; uncertain makes the store read-only. Errors: metadata_full and internal
  // (content that contradicts itself) write nothing and leave the store usable, and so does
  // metadata_commit where the spare did not answer and no seal was written: then read_only_reason()
  // stays empty, and a later commit may succeed; read_only, metadata_exhausted.
  virtual Result<CommitName> commit(const format::Records& records, const table::Table& table) = 0;

  // A quick look for another program that writes to the spare, for who is about to write data where
  // the last commit says that there is room. Error metadata_commit: the store is read-only, or,
  // with read_only_reason() empty, the spare does not answer at the moment.
  virtual Result<void> check_alone() = 0;

  // The last acknowledged commit, and the sequence the next one will get.
  [[nodiscard]] virtual CommitName current() const = 0;
  [[nodiscard]] std::uint64_t next_sequence() const { return current().sequence + 1; }

  [[nodiscard]] virtual CopyCount copies() const = 0;
  // Empty while commits are possible; else why they no longer are.
  [[nodiscard]] virtual std::string read_only_reason() const = 0;
};

// How many table entries (extents + retired) fit a slot.
[[nodiscard]] std::size_t table_capacity(const format::Records& records);

}  // namespace dmremap::metadata
