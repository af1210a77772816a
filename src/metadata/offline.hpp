// SPDX-License-Identifier: GPL-2.0-or-later
// What is done to the metadata of a set that nobody runs: mend damaged slots in their own places,
// end a fork or a doubt by naming the commit to keep, erase it all. Every step may be the last:
// stopped anywhere, what is left opens as before, as after, or is refused; never older than what
// was acknowledged.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "format/content.hpp"
#include "io/block_device.hpp"
#include "metadata/survey.hpp"

namespace dmremap::metadata {

// A slot that is not as a healthy set would have it.
struct DamagedSlot {
  unsigned copy = 0;
  unsigned slot = 0;
  SectorRange place;
  format::Verdict verdict = format::Verdict::good;
  bool mended = false;
};

// In the column of the winner: slots that do not hold it. In the other one: slots that are
// unsettled, or whose body is torn. In address order. Empty: nothing to mend.
[[nodiscard]] std::vector<DamagedSlot> damaged_slots(const Survey& survey);

struct Repaired {
  std::vector<DamagedSlot> slots;  // as damaged_slots; `mended`: written and read back
  // No whole slot of the other column was left to mend it from: the winner's content was committed
  // once more, which writes every slot there.
  std::optional<CommitName> committed;
};

// Mends `survey`'s damaged slots, first those in the winner's column, and once it is on a quorum
// those in the other one, with the commit before it. Holding `spare` is for the caller. A slot that
// does not take it is left and reported. Errors: the refusals of a set that is not writable
// (nothing is written); metadata_commit; io: a flush failed.
Result<Repaired> repair(io::BlockDevice& spare, const Survey& survey, Random& random, Clock& clock);

// The content of a commit that is whole somewhere in its place. None: it is not, or no longer
// readable.
[[nodiscard]] std::optional<format::Content> read_commit(io::BlockDevice& spare,
                                                         const Survey& survey, CommitId commit);
// All commits that are whole somewhere, latest first.
[[nodiscard]] std::vector<CommitName> whole_commits(const Survey& survey);

// The slots that a resolution erases, because what they hold is not known: it may come back when
// they are read again some day. Unreadable ones first: if one does not take it, nothing has
// happened to the others yet.
[[nodiscard]] std::vector<DamagedSlot> hidden_slots(const Survey& survey);

// `kept` without what it cannot be trusted in beside `other`, a commit that is not before it: where
// both put different sectors of main on one sector of the spare, either may have been written last.
// Such sectors become gone. Returns how many.
std::uint64_t give_up_shared(format::Content& kept, const format::Content& other);

// Ends a fork or a doubt: `content`, that of `keep` as the caller changed it, becomes the latest
// commit, later than any that is seen, on all copies that take it and at least a quorum, in both
// columns. Before that, hidden_slots are erased one by one: one that cannot be written might come
// back and outrank all that follows, so there it ends. Errors: as above;
// metadata_newer; metadata_doubtful (such a slot); metadata_exhausted; metadata_commit.
Result<CommitName> resolve(io::BlockDevice& spare, const Survey& survey, CommitId keep,
                           const format::Content& content, Random& random, Clock& clock);

// Erases every copy. What remains after a crash on the way is refused as doubtful, or is the set as
// it was. Errors: io: some copy does not take it, and may still hold the set.
Result<void> release(io::BlockDevice& spare, const Survey& survey);

}  // namespace dmremap::metadata
