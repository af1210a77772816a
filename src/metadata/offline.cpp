// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/offline.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "format/grown_spare.hpp"
#include "format/history.hpp"
#include "metadata/signpost.hpp"
#include "metadata/slot_reader.hpp"
#include "metadata/spare_store.hpp"

namespace dmremap::metadata {

using format::Verdict;

namespace {

bool names(const SlotReport& slot, CommitId commit) {
  return slot.whole && slot.seal->commit == commit;
}

// One whole slot of a commit: its bytes, to be written to other slots, and its decoded body.
struct ReadSlot {
  std::shared_ptr<const CommitImage> image;
  format::DecodedBody body;
};

// Reads a slot that the survey found to hold `commit` whole. Empty if there is none, or if none can
// be read again.
std::optional<ReadSlot> read_slot(io::BlockDevice& spare, const Survey& survey, CommitId commit) {
  SlotReader reader(spare);
  for (const CopyReport& copy : survey.copies) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      if (!names(copy.slots[slot], commit)) continue;
      const format::SlotAddress at{copy.index, slot};
      SlotReading reading = reader.read(at, format::slot_sector(survey.positions, at));
      if (!reading.body || reading.seal.seal.commit != commit) continue;
      return ReadSlot{make_image(reading.seal.seal, reader.body_bytes()), std::move(*reading.body)};
    }
  }
  return std::nullopt;
}

CopySet copies_of(const std::vector<DamagedSlot>& slots, unsigned column) {
  CopySet out;
  for (const DamagedSlot& slot : slots) {
    if (slot.slot == column) out.add(slot.copy);
  }
  return out;
}

void mark_mended(std::vector<DamagedSlot>& slots, unsigned column, CopySet verified) {
  for (DamagedSlot& slot : slots) {
    if (slot.slot == column) slot.mended = verified.contains(slot.copy);
  }
}

Result<void> check_refusals(const io::BlockDevice& spare, const Survey& survey) {
  if (const auto error = refusal(survey, spare.path())) return tl::unexpected(*error);
  return {};
}

// The commit from which slots in the column before the winner's are mended: the winner's parent or,
// if that is nowhere whole, the latest other one there. Any of them will do, because a settled slot
// names an earlier commit than the winner.
std::optional<CommitId> commit_before(const Survey& survey, CommitId parent, unsigned column) {
  std::optional<CommitName> best;
  for (const CopyReport& copy : survey.copies) {
    const SlotReport& slot = copy.slots[column];
    if (!slot.whole || !slot.settled) continue;
    const CommitName name = name_of(*slot.seal);
    if (name.id == parent) return parent;
    if (!best || name.order() > best->order()) best = name;
  }
  return best ? std::optional(best->id) : std::nullopt;
}

// Overwrites `range` with zeros and returns true if it reads as zeros then. If it cannot be written
// in one piece, it is written block by block, so that as much as possible is erased.
bool erase(io::BlockDevice& spare, SectorRange range) {
  const AlignedBuffer zeros(range.count.bytes());
  AlignedBuffer back(range.count.bytes());
  bool erased = spare.write(range.first, zeros.span()).ok();
  if (!erased) {
    erased = true;
    for (std::uint64_t at = 0; at < range.count.value; at += format::kBlockSectors.value) {
      const auto block = zeros.span().first(format::kBlockBytes);
      erased = spare.write(range.first + SectorCount{at}, block).ok() && erased;
    }
  }
  return erased && spare.flush().ok() && spare.read(range.first, back.span()).ok() &&
         std::ranges::equal(back.span(), zeros.span());
}

SectorRange seal_block(const Survey& survey, unsigned copy, unsigned slot) {
  return {format::slot_sector(survey.positions, {copy, slot}), format::kBlockSectors};
}

// Appends `piece`, an extent of the kept table, to `out`. The sectors of it whose spare sectors
// `theirs` gives to another sector of main become gone. Returns how many these are.
std::uint64_t give_up_overlap(const format::Extent& piece, const format::Extent& theirs,
                              std::vector<format::Extent>& out) {
  const SpareRange both = piece.spare().intersect(theirs.spare());
  // If both tables put the same sector of main on a spare sector, its data is of that sector
  // whichever side wrote last.
  const bool is_same_place = piece.main().first.value + theirs.spare().first.sector.value ==
                             theirs.main().first.value + piece.spare().first.sector.value;
  if (piece.state() != format::State::remapped || both.empty() || is_same_place) {
    out.push_back(piece);
    return 0;
  }
  const SectorCount before = both.first.sector - piece.spare().first.sector;
  const SectorRange shared{piece.main().first + before, both.count};
  const SectorRange rest{shared.end(), piece.main().end() - shared.end()};
  if (before.value > 0) out.push_back(piece.slice({piece.main().first, before}));
  out.push_back(format::Extent(format::State::gone, shared));
  if (rest.count.value > 0) out.push_back(piece.slice(rest));
  return shared.count.value;
}

}  // namespace

std::vector<DamagedSlot> damaged_slots(const Survey& survey) {
  std::vector<DamagedSlot> out;
  if (!survey.decision.winner) return out;
  const unsigned winners = format::column_of(survey.decision.winner->sequence);
  for (const CopyReport& copy : survey.copies) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      const SlotReport& report = copy.slots[slot];
      const bool fine =
          slot == winners ? report.verdict == Verdict::good : report.whole && report.settled;
      if (fine) continue;
      const Sector first = format::slot_sector(survey.positions, {copy.index, slot});
      out.push_back({copy.index, slot, {first, format::kSlotSectors}, report.verdict, false});
    }
  }
  return out;
}

namespace {

Result<RepairReport> mend_slots(io::BlockDevice& spare, const Survey& survey, Random& random,
                                Clock& clock) {
  if (auto fine = check_refusals(spare, survey); !fine) return failure_of(fine);
  RepairReport out{damaged_slots(survey), std::nullopt};
  if (out.slots.empty()) return out;
  const auto winner = read_slot(spare, survey, survey.decision.winner->id);
  if (!winner) {
    return fail(ErrorCode::io, "the winner was readable a moment ago and no longer is",
                spare.path(), "check cable, power and the kernel log");
  }
  const unsigned own = format::column_of(winner->image->seal.sequence);
  const unsigned other = 1 - own;
  const CopySet damaged_in_other = copies_of(out.slots, other);
  const auto before = commit_before(survey, winner->image->seal.parent, other);
  // Nothing is left to mend the other column from. An opening commits to that column, on all
  // copies. What a crash leaves is what it leaves of any opening (Store::activate).
  if (damaged_in_other.size() > 0 && !before) {
    auto store = Store::activate(spare, survey, winner->body.content, random, clock);
    if (!store) return failure_of(store);
    out.committed = (*store)->current();
    const auto now = metadata::survey(spare);
    if (!now) return failure_of(now);
    for (DamagedSlot& slot : out.slots) {
      const SlotReport& report = now->copies[slot.copy].slots[slot.slot];
      slot.mended = report.whole && report.settled;
    }
    return out;
  }
  // The winner's column first. A crash here leaves the winner on the copies that held it and
  // perhaps on more, and the other column as it was.
  CommitWriter writer(spare, survey.positions);
  const auto held = writer.write(winner->image, copies_of(out.slots, own));
  if (!held) return failure_of(held);
  mark_mended(out.slots, own, *held);
  const CopySet holders = survey.decision.holders | *held;
  if (damaged_in_other.size() == 0) return out;
  // The other column is written only when a quorum holds the winner, as in every commit: a crash
  // must never find both columns in pieces.
  if (!contains_quorum(holders)) {
    return fail(
        ErrorCode::metadata_commit,
        fmt::format("the winner is on {} copies and cannot be written to more", holders.size()),
        spare.path(), "copy the spare to a healthy device and repair it there");
  }
  const auto source = read_slot(spare, survey, *before);
  if (!source) {
    return fail(ErrorCode::io, "the commit before was readable a moment ago and no longer is",
                spare.path(), "run repair again");
  }
  // A crash here leaves each of these slots damaged as before, torn, or mended, and the winner
  // whole on a quorum in its own column.
  const auto mended = writer.write(source->image, damaged_in_other);
  if (!mended) return failure_of(mended);
  mark_mended(out.slots, other, *mended);
  return out;
}

// Makes the last wave of seals durable, which a commit leaves to the next flush
// (commit_writer.hpp).
Result<void> flush_last_seals(io::BlockDevice& spare) {
  if (spare.flush().ok()) return {};
  return fail(ErrorCode::io, "a flush of the spare failed", spare.path(),
              "what it covered cannot be trusted: run it again");
}

}  // namespace

Result<RepairReport> repair(io::BlockDevice& spare, const Survey& survey, Random& random,
                            Clock& clock) {
  auto repaired = mend_slots(spare, survey, random, clock);
  if (!repaired || repaired->slots.empty()) return repaired;
  if (auto done = flush_last_seals(spare); !done) return failure_of(done);
  return repaired;
}

std::optional<format::Content> read_commit(io::BlockDevice& spare, const Survey& survey,
                                           CommitId commit) {
  auto slot = read_slot(spare, survey, commit);
  if (!slot) return std::nullopt;
  return std::move(slot->body.content);
}

std::vector<CommitName> whole_commits(const Survey& survey) {
  std::vector<CommitName> out;
  for (const CopyReport& copy : survey.copies) {
    for (const SlotReport& slot : copy.slots) {
      if (!slot.whole) continue;
      const CommitName name = name_of(*slot.seal);
      if (std::ranges::find(out, name) == out.end()) out.push_back(name);
    }
  }
  std::ranges::sort(out, [](const CommitName& a, const CommitName& b) {
    return std::pair(b.order(), b.id) < std::pair(a.order(), a.id);
  });
  return out;
}

std::vector<DamagedSlot> hidden_slots(const Survey& survey) {
  std::vector<DamagedSlot> out;
  for (const CopyReport& copy : survey.copies) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      const SlotReport& report = copy.slots[slot];
      const bool is_hidden = report.verdict == Verdict::corrupt ||
                             (report.verdict == Verdict::unreadable && !report.seal);
      if (!is_hidden) continue;
      const Sector first = format::slot_sector(survey.positions, {copy.index, slot});
      out.push_back({copy.index, slot, {first, format::kSlotSectors}, report.verdict, false});
    }
  }
  std::ranges::stable_sort(out, [](const DamagedSlot& a, const DamagedSlot& b) {
    return a.verdict == Verdict::unreadable && b.verdict != Verdict::unreadable;
  });
  return out;
}

std::uint64_t give_up_shared(format::Content& kept, const format::Content& other) {
  std::uint64_t given_up = 0;
  std::vector<format::Extent> extents;
  for (const format::Extent& extent : kept.extents) {
    std::vector<format::Extent> pieces{extent};
    for (const format::Extent& theirs : other.extents) {
      if (extent.state() != format::State::remapped || theirs.state() != format::State::remapped ||
          !extent.spare().overlaps(theirs.spare())) {
        continue;
      }
      std::vector<format::Extent> next;
      for (const format::Extent& piece : pieces) given_up += give_up_overlap(piece, theirs, next);
      pieces = std::move(next);
    }
    extents.insert(extents.end(), pieces.begin(), pieces.end());
  }
  kept.extents = std::move(extents);
  return given_up;
}

namespace {

Result<void> erase_hidden_slots(io::BlockDevice& spare, const Survey& survey) {
  // An erased slot reads as empty, which is unsettled like the damage that it replaces. So a crash
  // while slots are erased leaves the set refused, as it was.
  std::size_t erased = 0;
  for (const DamagedSlot& slot : hidden_slots(survey)) {
    if (!erase(spare, {slot.place.first, format::kBlockSectors})) {
      return fail(ErrorCode::metadata_doubtful,
                  fmt::format("slot {} of copy {} (sector {}) can neither be read nor written: a "
                              "later commit that it may hold could come back{}",
                              format::slot_name(slot.slot), slot.copy, slot.place.first.value,
                              erased == 0 ? "" : fmt::format("; {} others were erased", erased)),
                  spare.path(), "copy the spare to a healthy device and resolve it there");
    }
    ++erased;
  }
  return {};
}

}  // namespace

Result<CommitName> resolve(io::BlockDevice& spare, const Survey& survey, CommitId keep,
                           const format::Content& content, Random& random, Clock& clock) {
  if (survey.newer_format || survey.newer_read_only) {
    return fail(ErrorCode::metadata_newer, "metadata of a newer version of dm-remap", spare.path(),
                "use that version; nothing was written");
  }
  const auto kept = read_slot(spare, survey, keep);
  if (!kept) {
    return fail(ErrorCode::no_metadata, "no slot holds that commit whole", spare.path(),
                "`dmremap examine` lists those that are there");
  }
  // The evidence of main's contents is dropped. Since it was taken, the other side of the fork, or
  // the hidden commits, may have written to main as well.
  format::Content resolved = content;
  resolved.evidence.reset();
  // The new commits must be later than any that a seal of this set names, whole or not.
  format::Seal next = kept->image->seal;
  for (const CopyReport& copy : survey.copies) {
    for (const SlotReport& slot : copy.slots) {
      if (!slot.seal || slot.verdict == Verdict::foreign) continue;
      next.sequence = std::max(next.sequence, slot.seal->sequence);
      next.term = std::max(next.term, slot.seal->term);
    }
  }
  const std::uint64_t last_term = next.term;
  // Two commits are made, and one sequence number may have to be left out (below).
  for (unsigned step = 0; step < 3; ++step) {
    if (auto left = check_number(next.sequence + step, "sequence number", spare.path()); !left) {
      return failure_of(left);
    }
  }
  if (auto left = check_number(last_term, "term", spare.path()); !left) {
    return failure_of(left);
  }
  if (auto erased = erase_hidden_slots(spare, survey); !erased) return failure_of(erased);
  SpareStore store(spare, survey.positions, random, clock);
  store.start_from(kept->body.entries, keep);
  // The first commit goes to the column that does not hold the kept one. A crash during it leaves
  // the kept commit whole in its own column, and the set refused or opened with what was kept.
  // After it has been acknowledged the new commit is the winner, and the second one replaces the
  // other column.
  ++next.sequence;
  if (format::column_of(next.sequence) == format::column_of(kept->image->seal.sequence)) {
    ++next.sequence;
  }
  next.term = last_term + 1;
  const table::Table table(resolved.extents, resolved.retired);
  for (unsigned step = 0; step < 2; ++step) {
    auto done = store.advance(next, resolved, table);
    if (!done) return done;
    ++next.sequence;
  }
  if (auto done = flush_last_seals(spare); !done) return failure_of(done);
  return store.current();
}

namespace {

void note_growth(format::Health& health, SectorCount from, SectorCount to, Clock& clock) {
  format::Event event;
  event.number = health.next_event++;
  event.wall_ns = clock.wall_ns();
  event.kind = format::EventKind::spare_grown;
  event.severity = Severity::info;
  event.text = format::growth_text(from, to);
  auto& events = health.later_events;
  events.push_back(std::move(event));
  if (events.size() > format::kHistoryEvents) events.erase(events.begin());
}

}  // namespace

Result<CommitName> grow(io::BlockDevice& spare, const Survey& survey, SectorCount size,
                        Random& random, Clock& clock) {
  if (auto fine = check_refusals(spare, survey); !fine) return failure_of(fine);
  format::Content content = *survey.content;
  DMREMAP_ASSERT(size > format::usable_spare_size(content));
  note_growth(content.health, format::usable_spare_size(content), size, clock);
  content.grown_spare = size;
  // Nothing was written to the set since, so a copy of it is as good as it was.
  if (content.copy) content.copy->sequence = survey.decision.winner->sequence + 1;
  auto store = Store::activate(spare, survey, content, random, clock);
  if (!store) return failure_of(store);
  if (auto done = flush_last_seals(spare); !done) return failure_of(done);
  return (*store)->current();
}

Result<void> release(io::BlockDevice& spare, const Survey& survey) {
  std::vector<unsigned> left;
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    // The seals go first, then the bodies that they sealed. Both seals of a copy are erased before
    // the next copy's, so that the columns shrink together and an earlier commit never outlives the
    // winner. A crash leaves the set as it was as long as the erased and damaged copies contain no
    // quorum, and a doubtful one after that.
    const bool seals =
        erase(spare, seal_block(survey, copy, 0)) && erase(spare, seal_block(survey, copy, 1));
    if (!seals) left.push_back(copy);
  }
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    const bool gone = std::ranges::find(left, copy) == left.end();
    if (gone && !erase(spare, {survey.positions[copy], format::kCopySectors})) left.push_back(copy);
  }
  // They name places where nothing is any more. One that stays is a trace, and no set.
  if (survey.content && survey.content->grown_spare) {
    (void)erase_signposts(spare, survey.content->identity.spare.size, *survey.content->grown_spare);
  }
  if (left.empty()) return {};
  return fail(ErrorCode::io,
              fmt::format("{} of 8 metadata copies could not be erased and may still show the set",
                          left.size()),
              spare.path(), "do not use the device as a spare again");
}

}  // namespace dmremap::metadata
