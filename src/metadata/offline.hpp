// SPDX-License-Identifier: GPL-2.0-or-later
// Operations on the metadata of a set that is not running: repair() mends damaged slots in their
// own places, resolve() ends a fork or a doubt by naming the commit to keep, grow() takes over the
// new room of a spare that became larger, and release() erases everything. Every step may be the
// last. Wherever such an operation is stopped, the set opens as before or as after it, or is
// refused; it never opens with less than what was acknowledged.
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

// A slot that is not as it would be in a healthy set. `copy` and `slot` are its indexes, `place`
// its sectors, `verdict` what was found there, and `mended` whether it was written and read back
// since.
struct DamagedSlot {
  unsigned copy = 0;
  unsigned slot = 0;
  SectorRange place;
  format::Verdict verdict = format::Verdict::good;
  bool mended = false;
};

// The slots to be mended, in address order; empty if there are none. In the winner's column these
// are the slots that do not hold it, and in the other column those that are unsettled or torn.
[[nodiscard]] std::vector<DamagedSlot> damaged_slots(const Survey& survey);

// What repair() did.
struct RepairReport {
  // The slots that damaged_slots() named, with `mended` set.
  std::vector<DamagedSlot> slots;
  // The new commit, if one was made: if no whole slot was left in the other column to mend it from,
  // the winner's content is committed once more, which writes every slot there.
  std::optional<CommitName> committed;
};

// Mends the damaged slots of `survey`: first those in the winner's column and, once a quorum holds
// the winner, those in the other column with the commit before it. The caller holds `spare`
// exclusively. A slot that cannot be written is left as it is and reported. Errors: the refusals of
// a set that is not writable (nothing is written); metadata_commit; io if a flush failed.
Result<RepairReport> repair(io::BlockDevice& spare, const Survey& survey, Random& random,
                            Clock& clock);

// The content of a commit, read from a slot that holds it whole. Empty if no slot does, or if it
// can no longer be read.
[[nodiscard]] std::optional<format::Content> read_commit(io::BlockDevice& spare,
                                                         const Survey& survey, CommitId commit);
// All commits that have a whole slot, latest first.
[[nodiscard]] std::vector<CommitName> whole_commits(const Survey& survey);

// The slots that a resolution erases. Their seals are corrupt or cannot be read, so they may hold a
// later commit that shows when they are read again some day. The unreadable ones come first: if one
// of them cannot be erased, the others have not been touched yet.
[[nodiscard]] std::vector<DamagedSlot> hidden_slots(const Survey& survey);

// Removes from `kept` what may have been overwritten under `other`, a commit that is not earlier.
// Where both put different sectors of main on the same sector of the spare, either may have been
// written last, so these sectors of main become gone in `kept`. Returns how many.
std::uint64_t give_up_shared(format::Content& kept, const format::Content& other);

// Ends a fork or a doubt. `content`, which is that of the commit `keep` as the caller changed it,
// is committed to both columns, with numbers later than any that a seal on the spare names, on as
// many copies as possible and at least a quorum. Before that the hidden_slots() are erased one by
// one. If one of them cannot be erased, nothing is committed, because it might come back with a
// later commit. Errors: no_metadata if no slot holds `keep`; metadata_newer; metadata_doubtful for
// a slot that cannot be erased; metadata_exhausted; metadata_commit; io if a flush failed.
Result<CommitName> resolve(io::BlockDevice& spare, const Survey& survey, CommitId keep,
                           const format::Content& content, Random& random, Clock& clock);

// Commits the winner's content with a spare that is in use up to `size`, as an activation: it says
// nothing else, and what the winner records of a clean stop or a verified copy still holds. The
// caller holds `spare` exclusively and has seen that it is that large; it is flushed before the
// commit, which makes the new length of an image durable. Every step may be the last: a crash
// leaves the old size or the new one. Errors: the refusals of a set that is not writable;
// metadata_full if the table has no room for the record of the size; metadata_exhausted;
// metadata_commit; io if a flush failed.
Result<CommitName> grow(io::BlockDevice& spare, const Survey& survey, SectorCount size,
                        Random& random, Clock& clock);

// Erases every copy. A crash on the way leaves the set as it was, or one that is refused as
// doubtful. Error io: some copy could not be erased and may still show the set.
Result<void> release(io::BlockDevice& spare, const Survey& survey);

}  // namespace dmremap::metadata
