// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/spare_store.hpp"

#include <limits>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "metadata/signpost.hpp"

namespace dmremap::metadata {

namespace {

// The last sequence and term that are ever given out. Later numbers would wrap around, and the
// order of commits with them.
constexpr std::uint64_t kLastNumber = std::numeric_limits<std::uint64_t>::max() - 1;

std::pair<SectorCount, SectorCount> sizes_of(const format::Records& records) {
  return {records.identity.main.size, format::usable_spare_size(records)};
}

}  // namespace

Result<void> check_number(std::uint64_t last, std::string_view what, const std::string& where) {
  if (last < kLastNumber) return {};
  return fail(ErrorCode::metadata_exhausted, fmt::format("the {} {} is the last one", what, last),
              where, "copy the data to a new set");
}

void erase_seals(io::BlockDevice& spare, const format::CopyPositions& positions) {
  const AlignedBuffer zeros(format::kBlockBytes);
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      // A write that fails is passed over, so that as many seals as possible are erased.
      (void)spare.write(format::slot_sector(positions, {copy, slot}), zeros.span());
    }
  }
  (void)spare.flush();
}

Result<CommitName> SpareStore::commit(const format::Records& records, const table::Table& table) {
  if (auto reason = read_only_reason(); !reason.empty()) {
    return fail(ErrorCode::read_only, reason, spare_.path());
  }
  // Another writer's commit must not be overwritten, so look for one before anything is written.
  if (auto ready = check_for_foreign_writer(); !ready) return failure_of(ready);
  if (auto left = check_number(last_->seal.sequence, "sequence number", spare_.path()); !left) {
    (void)go_read_only(left.error().what);
    return failure_of(left);
  }
  // Every commit but an activation keeps the term of its parent.
  format::Seal seal = last_->seal;
  seal.sequence += 1;
  return advance(seal, records, table);
}

// This runs before each group of data writes, so it reads only seals unless there was a sign of
// trouble. A seal that is earlier or damaged shows no other writer: the check before the next
// commit deals with it.
Result<void> SpareStore::check_alone() {
  const unsigned copy = next_copy_to_check();
  if (writer_.is_overtaken(*last_, copy)) return foreign_writer(copy);
  switch (writer_.recheck_seal(*last_, copy)) {
    case CommitWriter::SealState::other:
      return foreign_writer(copy);
    case CommitWriter::SealState::unreadable:
      return check_all_copies(copy, CommitWriter::CopyState::unreadable);
    case CommitWriter::SealState::same:
    case CommitWriter::SealState::damaged:
    case CommitWriter::SealState::older:
      break;
  }
  return all_are_in_doubt_ ? check_for_foreign_writer() : Result<void>();
}

Result<SlotDamage> SpareStore::check_copy(unsigned copy) {
  using State = CommitWriter::CopyState;
  if (auto reason = read_only_reason(); !reason.empty()) {
    return fail(ErrorCode::read_only, reason, spare_.path());
  }
  if (all_are_in_doubt_) {
    if (auto ready = check_for_foreign_writer(); !ready) return failure_of(ready);
  }
  if (writer_.is_overtaken(*last_, copy)) return failure_of(foreign_writer(copy));
  const unsigned own = format::column_of(last_->seal.sequence);
  // What this store verified must be there still, byte for byte. Of the rest it can only be seen
  // whether it is sound.
  const State now = held_.contains(copy) ? writer_.recheck_copy(*last_, copy)
                                         : writer_.look_at_slot(*last_, {copy, own});
  const State before = writer_.recheck_former(*last_, copy);
  if (now == State::foreign || before == State::foreign) return failure_of(foreign_writer(copy));
  // The copies that are left must hold the last commit, or there is nothing to mend from.
  if (now != State::whole && held_.contains(copy)) {
    if (auto ready = check_all_copies(copy, now); !ready) return failure_of(ready);
  }
  if (now != State::whole || before != State::whole) writer_.forget(copy);
  SlotDamage out{};
  out[own] = now != State::whole;
  out[1 - own] = before != State::whole;
  return out;
}

Result<void> SpareStore::prepare_growth(SectorCount size) {
  return write_signposts(spare_, last_->seal, size);
}

CommitName SpareStore::current() const {
  const std::lock_guard lock(mutex_);
  return name_of(last_->seal);
}

KnownCommits SpareStore::known_commits() const {
  const std::lock_guard lock(mutex_);
  return {name_of(last_->seal), undecided_};
}

void SpareStore::doubt_all_copies() {
  all_are_in_doubt_ = true;
  for (unsigned copy = 0; copy < format::kCopies; ++copy) writer_.forget(copy);
}

CopyCount SpareStore::copies() const {
  return {good_copies_.load(std::memory_order_relaxed), format::kCopies};
}

std::string SpareStore::read_only_reason() const {
  const std::lock_guard lock(mutex_);
  return read_only_reason_;
}

// The activation that follows overwrites the other column, which holds the commit before the
// winner. So the winner must be durable on a quorum first.
Result<void> SpareStore::settle(const std::shared_ptr<const CommitImage>& winner,
                                const std::vector<format::Extent>& entries, CopySet holders) {
  start_from(entries, {});
  // A program that was killed may have left the winner in the drive's cache alone. Without this
  // flush a power cut during the activation could lose both it and the commit before.
  if (!spare_.flush().ok()) return go_read_only("a flush of the spare failed");
  // A crash in this write leaves the winner on the copies that held it and perhaps on more, and the
  // other column as it was: the next opening finds the same winner.
  const CopySet missing = kAllCopies - holders;
  if (missing.size() > 0) {
    const auto verified = writer_.write(winner, missing);
    if (!verified) return go_read_only(verified.error().what);
    holders = holders | *verified;
  }
  // On fewer copies the winner could be lost with them once the other column is overwritten.
  if (!contains_quorum(holders)) {
    return go_read_only(
        fmt::format("the winner is on {} copies and cannot be written to more", holders.size()));
  }
  acknowledge(winner, holders);
  return {};
}

Result<CommitName> SpareStore::advance(const format::Seal& seal, const format::Records& records,
                                       const table::Table& table) {
  const format::TableChange change =
      table_ ? table.change_from(*table_) : image_.change_to(table.extents(), table.retired());
  // A body that a reader would not accept must not be written. It would replace commits that can be
  // read, and its own seals would make the set doubtful.
  if (!is_sound(records, table, change) || !image_.apply(change)) {
    return fail(ErrorCode::internal, "what is to be committed contradicts itself", spare_.path(),
                "nothing was written; please report this");
  }
  DMREMAP_ASSERT(image_.used() == table.size() + table.retired().size());
  auto done = write(seal, records);
  if (done) {
    table_ = table;
    sizes_ = sizes_of(records);
  } else {
    // The next commit builds on the last acknowledged one, so the change is taken out again.
    const bool undone = image_.apply({change.added, change.removed});
    DMREMAP_ASSERT(undone);
  }
  return done;
}

bool SpareStore::is_sound(const format::Records& records, const table::Table& table,
                          const format::TableChange& change) const {
  if (table_ && sizes_ == sizes_of(records)) {
    return format::extents_fit(records, change.added);
  }
  return format::extents_fit(records, table.extents()) &&
         format::extents_fit(records, table.retired());
}

// A commit that misses its quorum is tried once more. Nothing of it may change between the
// attempts: seals of the first may be on the spare, and a sequence number must never name two
// contents.
Result<CommitName> SpareStore::write(format::Seal seal, const format::Records& records) {
  if (!format::sections_fit(records)) {
    return fail(ErrorCode::metadata_full, "the metadata has no room for another section",
                spare_.path(), "the set goes on with what is mapped");
  }
  if (image_.entries().size() > table_capacity(records)) {
    return fail(ErrorCode::metadata_full,
                fmt::format("the table holds {} extents and is full", image_.used()), spare_.path(),
                "replace the disk; the set goes on with what is mapped");
  }
  seal.parent = last_ ? last_->seal.commit : parent_;
  seal.commit = random_.commit_id();
  seal.wall_ns = clock_.wall_ns();
  // Seal and body name the same commit: the reader compares them before it believes either.
  const format::BodyName name{seal.set_uuid, seal.sequence, seal.term,
                              seal.commit,   seal.parent,   seal.wall_ns};
  format::EncodedBody body = format::encode_body(name, records, image_);
  if (!format::records_decode(body)) {
    return fail(ErrorCode::internal, "what is to be committed contradicts itself", spare_.path(),
                "nothing was written; please report this");
  }
  const auto image = make_image(seal, std::move(body));
  CopySet held;
  bool sealed = false;
  for (int attempt = 0; attempt < 2 && !contains_quorum(held); ++attempt) {
    // What a crash leaves at each step of this write stands in CommitWriter::write. The last commit
    // stays whole in its own column throughout.
    const auto verified = writer_.write(image, kAllCopies);
    sealed = sealed || writer_.has_sealed();
    if (sealed) note_undecided(name_of(image->seal));
    // A flush failed, so nothing that was written since the one before is trusted, and this commit
    // may be on some copies. The store ends here, so that its number is given to no other content.
    if (!verified) return failure_of(go_read_only(verified.error().what));
    held = *verified;
  }
  if (!sealed) {
    // Without a seal no reader can find this commit, so its number may be given to other content.
    return failure_of(fail_for_now("the spare takes no metadata"));
  }
  // Seals name the commit, but too few copies hold it to say whether the next opening will take it.
  // Writing ends, because a further commit would build on a state that is not known.
  if (!contains_quorum(held)) {
    return failure_of(go_read_only(fmt::format("a commit reached only {} copies", held.size())));
  }
  acknowledge(image, held);
  return name_of(image->seal);
}

void SpareStore::start_from(const std::vector<format::Extent>& entries, CommitId parent) {
  table_.reset();
  image_ = format::TableImage(entries);
  parent_ = parent;
}

void SpareStore::acknowledge(const std::shared_ptr<const CommitImage>& image, CopySet held) {
  {
    // current() is called from other threads.
    const std::lock_guard lock(mutex_);
    last_ = image;
    undecided_.reset();
  }
  held_ = held;
  good_copies_.store(held.size(), std::memory_order_relaxed);
}

void SpareStore::note_undecided(const CommitName& commit) {
  const std::lock_guard lock(mutex_);
  undecided_ = commit;
}

unsigned SpareStore::next_copy_to_check() const {
  // Each copy is read again for two commits in a row, one of each column, before the next one's
  // turn. Copies that do not hold the commit are passed over; held_ contains a quorum, so one does.
  unsigned copy = static_cast<unsigned>(last_->seal.sequence / 2 % format::kCopies);
  while (!held_.contains(copy)) copy = (copy + 1) % format::kCopies;
  return copy;
}

// Reads again one of the copies that the last commit verified, each in its turn: seal and body, and
// the seal in the other column, where the next commit of another program would lie. An earlier seal
// or a changed body shows a write that the drive dropped or misdirected: that copy no longer
// counts. A later seal, or one of another commit, was written by another program, and anything
// written now could undo its commit. An error of the device shows neither.
Result<void> SpareStore::check_for_foreign_writer() {
  const unsigned copy = next_copy_to_check();
  if (writer_.is_overtaken(*last_, copy)) return foreign_writer(copy);
  // As long as there was no sign of trouble one whole copy suffices: a commit reads just that one.
  const CommitWriter::CopyState found = writer_.recheck_copy(*last_, copy);
  if (found == CommitWriter::CopyState::whole && !all_are_in_doubt_) return {};
  return check_all_copies(copy, found);
}

Result<void> SpareStore::check_all_copies(unsigned checked, CommitWriter::CopyState found) {
  CopySet whole;
  CopySet unreadable;
  for (unsigned i = 0; i < format::kCopies; ++i) {
    if (!held_.contains(i)) continue;
    if (i != checked && writer_.is_overtaken(*last_, i)) return foreign_writer(i);
    switch (i == checked ? found : writer_.recheck_copy(*last_, i)) {
      case CommitWriter::CopyState::whole:
        whole.add(i);
        break;
      case CommitWriter::CopyState::unreadable:
        unreadable.add(i);
        break;
      case CommitWriter::CopyState::wrong:
        // What it holds is not what was verified: the next commits write all of it again.
        writer_.forget(i);
        break;
      case CommitWriter::CopyState::foreign:
        return foreign_writer(i);
    }
  }
  if (!contains_quorum(whole)) {
    // While the copies that cannot be read could complete a quorum, nothing is known to be lost.
    // The commit fails and the store stays usable. Otherwise the acknowledged commit is no longer
    // held.
    if (contains_quorum(whole | unreadable)) {
      return fail_for_now(
          fmt::format("only {} of {} metadata copies can be read", whole.size(), held_.size()));
    }
    return go_read_only(fmt::format(
        "only {} copies still hold the last commit: something else wrote over the spare, "
        "or the drive loses what it took",
        whole.size()));
  }
  // A quorum is whole without the unreadable copies. The next commits write those as a whole.
  for (unsigned i = 0; i < format::kCopies; ++i) {
    if (unreadable.contains(i)) writer_.forget(i);
  }
  all_are_in_doubt_ = false;
  held_ = whole;
  good_copies_.store(whole.size(), std::memory_order_relaxed);
  return {};
}

Result<void> SpareStore::fail_for_now(std::string what) {
  all_are_in_doubt_ = true;
  return fail(ErrorCode::metadata_commit, std::move(what), spare_.path(),
              "check the spare's cable, power and room; it is tried again with the next change");
}

Result<void> SpareStore::foreign_writer(unsigned copy) {
  return go_read_only(fmt::format(
      "copy {} was written by somebody else: another program has the spare open", copy));
}

Result<void> SpareStore::go_read_only(std::string reason) {
  const std::lock_guard lock(mutex_);
  read_only_reason_ = std::move(reason);
  return fail(ErrorCode::metadata_commit, read_only_reason_, spare_.path(),
              "stop the set; look with `dmremap examine`");
}

}  // namespace dmremap::metadata
