// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/returned_spare.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "metadata/quorum.hpp"

namespace dmremap::metadata {

namespace {

ReturnJudgement refused(std::string reason) {
  return {ReturnVerdict::refused, std::move(reason)};
}

bool is_same_commit(const CommitName& a, const CommitName& b) {
  return a.order() == b.order() && a.id == b.id;
}

// Why `winner` is none of the commits that the set may have written last.
std::string describe_other_commit(const CommitName& winner, const CommitName& last) {
  if (winner.order() < last.order()) {
    return fmt::format(
        "holds an older state, commit {}, and the set has committed up to {}: is it a copy?",
        winner.sequence, last.sequence);
  }
  if (winner.order() > last.order()) {
    return fmt::format("was written to by others: it holds commit {}, and the set's last is {}",
                       winner.sequence, last.sequence);
  }
  return fmt::format("holds another commit {} than the set's own: a fork", last.sequence);
}

}  // namespace

ReturnJudgement judge_returned_spare(const SpareRecord& spare, const KnownCommits& commits,
                                     const io::Geometry& geometry, const Survey& found) {
  if (found.set_uuid != spare.set_uuid) return {};
  if (found.spare_uuid != spare.device_uuid) return refused("is another spare of this set");
  if (found.newer_format) return refused("holds metadata of a newer version of dm-remap");
  // A set that grew its spare while it ran says so in what it committed last.
  const SectorCount needed =
      found.content ? std::max(spare.size, format::usable_spare_size(*found.content)) : spare.size;
  if (geometry.size < needed) {
    return refused(
        fmt::format("has {} sectors, and the spare has {}", geometry.size.value, needed.value));
  }
  if (geometry.logical_block_bytes > spare.logical_block_bytes) {
    return refused(fmt::format("has blocks of {} bytes, and the spare had {}",
                               geometry.logical_block_bytes, spare.logical_block_bytes));
  }
  if (!found.decision.winner) return refused("shows no whole commit: " + found.reason);
  const CommitName& winner = *found.decision.winner;
  const bool is_undecided = commits.undecided && is_same_commit(winner, *commits.undecided);
  if (!is_same_commit(winner, commits.last) && !is_undecided) {
    return refused(describe_other_commit(winner, commits.last));
  }
  if (!spare.writes) return {ReturnVerdict::same, {}};
  // A newer commit may be hidden in slots that cannot be read.
  if (!found.decision.writable()) return refused("is doubtful: " + found.reason);
  // On fewer copies the store would find the commit lost and end all writing. While the spare is
  // away it may still come back whole. Once a commit is undecided, writing has ended anyway.
  if (!commits.undecided && !contains_quorum(found.decision.holders)) {
    return refused(fmt::format("only {} of {} metadata copies on it hold the last commit",
                               found.decision.holders.size(), format::kCopies));
  }
  return {ReturnVerdict::same, {}};
}

}  // namespace dmremap::metadata
