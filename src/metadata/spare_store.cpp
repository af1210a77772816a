// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/spare_store.hpp"

#include <limits>

#include <fmt/format.h>

#include "base/assert.hpp"

namespace dmremap::metadata {

namespace {

// The last sequence and term that are ever given out: beyond, order would wrap.
constexpr std::uint64_t kLastNumber = std::numeric_limits<std::uint64_t>::max() - 1;

std::pair<SectorCount, SectorCount> sizes_of(const format::Records& records) {
  return {records.identity.main.size, records.identity.spare.size};
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
      // Best effort: what cannot be written cannot be erased either.
      (void)spare.write(format::slot_sector(positions, {copy, slot}), zeros.span());
    }
  }
  (void)spare.flush();
}

Result<CommitName> SpareStore::commit(const format::Records& records, const table::Table& table) {
  if (auto reason = read_only_reason(); !reason.empty()) {
    return fail(ErrorCode::read_only, reason, spare_.path());
  }
  if (auto ready = check_for_foreign_writer(); !ready) return failure_of(ready);
  if (auto left = check_number(last_->seal.sequence, "sequence number", spare_.path()); !left) {
    (void)go_read_only(left.error().what);
    return failure_of(left);
  }
  format::Seal seal = last_->seal;
  seal.sequence += 1;
  return advance(seal, records, table);
}

Result<void> SpareStore::check_alone() {
  const unsigned copy = next_to_look_at();
  if (writer_.is_overtaken(*last_, copy)) return foreign_writer(copy);
  switch (writer_.look_again(*last_, copy)) {
    case CommitWriter::SealNow::other:
      return foreign_writer(copy);
    case CommitWriter::SealNow::unreadable:
      return check_all_copies(copy, CommitWriter::CopyNow::unreadable);
    case CommitWriter::SealNow::same:
    case CommitWriter::SealNow::damaged:
    case CommitWriter::SealNow::older:
      break;
  }
  return all_are_in_doubt_ ? check_for_foreign_writer() : Result<void>();
}

CommitName SpareStore::current() const {
  const std::lock_guard lock(mutex_);
  return name_of(last_->seal);
}

CopyCount SpareStore::copies() const {
  return {good_copies_.load(std::memory_order_relaxed), format::kCopies};
}

std::string SpareStore::read_only_reason() const {
  const std::lock_guard lock(mutex_);
  return read_only_reason_;
}

// The winner onto a quorum of its own column, before the other column is touched. A winner that
// is only in the drive's cache is made durable first: the bodies of the activation overwrite the
// commit before it.
Result<void> SpareStore::settle(const std::shared_ptr<const CommitImage>& winner,
                                const std::vector<format::Extent>& entries, CopySet holders) {
  start_from(entries, {});
  if (!spare_.flush().ok()) return go_read_only("a flush of the spare failed");
  const CopySet missing = kAllCopies - holders;
  if (missing.size() > 0) {
    const auto verified = writer_.write(winner, missing);
    if (!verified) return go_read_only(verified.error().what);
    holders = holders | *verified;
  }
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
  // What would not be read back as it was meant must not be written: it would take the place of
  // commits that can be read, and its own seals would make the set doubtful.
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
    // Back to the last commit, where the next one begins.
    const bool undone = image_.apply({change.added, change.removed});
    DMREMAP_ASSERT(undone);
  }
  return done;
}

bool SpareStore::is_sound(const format::Records& records, const table::Table& table,
                          const format::TableChange& change) const {
  if (table_ && sizes_ == sizes_of(records)) {
    return format::extents_fit(records.identity, change.added);
  }
  return format::extents_fit(records.identity, table.extents()) &&
         format::extents_fit(records.identity, table.retired());
}

// The commit's id, parent and time are given here. Until a quorum holds it, it is written byte for
// byte the same, twice at most.
Result<CommitName> SpareStore::write(format::Seal seal, const format::Records& records) {
  if (image_.entries().size() > format::table_capacity(records.unknown)) {
    return fail(ErrorCode::metadata_full,
                fmt::format("the table holds {} extents and is full", image_.used()), spare_.path(),
                "replace the disk; the set goes on with what is mapped");
  }
  seal.parent = last_ ? last_->seal.commit : parent_;
  seal.commit = random_.commit_id();
  seal.wall_ns = clock_.wall_ns();
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
    const auto verified = writer_.write(image, kAllCopies);
    sealed = sealed || writer_.has_sealed();
    // A flush failed. A crash from here on leaves the last commit whole in its own column, and this
    // one perhaps on some copies: its number is never given to other content.
    if (!verified) return failure_of(go_read_only(verified.error().what));
    held = *verified;
  }
  if (!sealed) {
    // No reader can find this commit: its number is free for the next one, whatever that holds.
    return failure_of(fail_for_now("the spare takes no metadata"));
  }
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
    // Whoever asks for the current commit is in another thread.
    const std::lock_guard lock(mutex_);
    last_ = image;
  }
  held_ = held;
  good_copies_.store(held.size(), std::memory_order_relaxed);
}

unsigned SpareStore::next_to_look_at() const {
  // Two commits, one of each column, before the next copy has its turn.
  unsigned copy = static_cast<unsigned>(last_->seal.sequence / 2 % format::kCopies);
  while (!held_.contains(copy)) copy = (copy + 1) % format::kCopies;
  return copy;
}

// One copy that the last commit verified, in turn: its seal and body, and the seal in the other
// column, where a single commit of somebody else would lie. A seal that went back, or a body that
// changed, is a write the drive dropped or misdirected: that copy no longer counts. One that went
// on, or is of another commit, was written by somebody else: whatever we wrote now could undo
// theirs. An error of the device tells neither of the one nor of the other.
Result<void> SpareStore::check_for_foreign_writer() {
  const unsigned copy = next_to_look_at();
  if (writer_.is_overtaken(*last_, copy)) return foreign_writer(copy);
  const CommitWriter::CopyNow found = writer_.look_at_copy(*last_, copy);
  if (found == CommitWriter::CopyNow::whole && !all_are_in_doubt_) return {};
  return check_all_copies(copy, found);
}

Result<void> SpareStore::check_all_copies(unsigned looked_at, CommitWriter::CopyNow found) {
  CopySet whole;
  CopySet unreadable;
  for (unsigned i = 0; i < format::kCopies; ++i) {
    if (!held_.contains(i)) continue;
    if (i != looked_at && writer_.is_overtaken(*last_, i)) return foreign_writer(i);
    switch (i == looked_at ? found : writer_.look_at_copy(*last_, i)) {
      case CommitWriter::CopyNow::whole:
        whole.add(i);
        break;
      case CommitWriter::CopyNow::unreadable:
        unreadable.add(i);
        break;
      case CommitWriter::CopyNow::wrong:
        writer_.forget(i);
        break;
      case CommitWriter::CopyNow::foreign:
        return foreign_writer(i);
    }
  }
  if (!contains_quorum(whole)) {
    if (contains_quorum(whole | unreadable)) {
      return fail_for_now(
          fmt::format("only {} of {} metadata copies can be read", whole.size(), held_.size()));
    }
    return go_read_only(fmt::format(
        "only {} copies still hold the last commit: something else wrote over the spare, "
        "or the drive loses what it took",
        whole.size()));
  }
  // The next commits write what does not read whole again.
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
