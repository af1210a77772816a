// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/store.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "metadata/signpost.hpp"
#include "metadata/slot_reader.hpp"
#include "metadata/spare_store.hpp"

namespace dmremap::metadata {

Result<void> Store::create(io::BlockDevice& spare, const format::Content& content, Random& random,
                           Clock& clock, const std::optional<format::CopyPositions>& before) {
  if (const std::size_t entries = content.extents.size() + content.retired.size();
      entries > table_capacity(content)) {
    return fail(ErrorCode::metadata_full,
                fmt::format("{} extents do not fit the table, which holds {}", entries,
                            table_capacity(content)),
                spare.path());
  }
  const SectorCount size = spare.geometry().size;
  if (size < format::kMinSpareSize) {
    return fail(ErrorCode::device_too_small, "a spare needs at least 16 MiB", spare.path());
  }
  const format::CopyPositions positions = format::copy_positions(size);
  // The seals of an earlier set are erased and flushed before the first new one is written. So a
  // crash leaves seals of the old set alone, or none, or of the new set alone, but no mixture in
  // which neither set can be told.
  if (before && *before != positions) erase_seals(spare, *before);
  erase_seals(spare, positions);
  SpareStore store(spare, positions, random, clock);
  format::Seal seal;
  seal.set_uuid = content.identity.set_uuid;
  seal.device_uuid = content.identity.spare_uuid;
  seal.device_size = size;
  seal.positions = positions;
  seal.term = 1;
  // Sequence 1 seals slots B and sequence 2 slots A, so that no slot keeps what lay there before. A
  // crash after the first leaves slots A empty, hence unsettled, in every copy: the set is refused
  // as doubtful, never opened with the half of its slots.
  const table::Table table(content.extents, content.retired);
  for (seal.sequence = 1; seal.sequence <= 2; ++seal.sequence) {
    const auto done = store.advance(seal, content, table);
    if (done && store.held() == kAllCopies) continue;
    // A set that could not be put on all copies must not be taken for one.
    erase_seals(spare, positions);
    return fail(ErrorCode::io,
                done ? fmt::format("only {} of 8 metadata copies could be written and read back",
                                   store.held().size())
                     : done.error().what,
                spare.path(), "use a healthy device as spare");
  }
  // The last wave of seals is still waiting for a flush, and all eight copies were promised.
  if (!spare.flush().ok()) {
    erase_seals(spare, positions);
    return fail(ErrorCode::io, "a flush of the spare failed", spare.path(),
                "use a healthy device as spare");
  }
  return {};
}

Result<std::unique_ptr<Store>> Store::activate(io::BlockDevice& spare, const Survey& survey,
                                               const format::Content& content, Random& random,
                                               Clock& clock) {
  if (const auto error = refusal(survey, spare.path())) return tl::unexpected(*error);
  const CommitName& winner = *survey.decision.winner;
  const unsigned column = format::column_of(winner.sequence);
  // The survey keeps the winner decoded, but it must be written to further copies byte for byte. So
  // it is read once more, from any copy that holds it; that is in its own column, because anywhere
  // else its seal would be misplaced.
  SlotReader reader(spare);
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (!survey.decision.holders.contains(copy)) continue;
    const format::SlotAddress at{copy, column};
    const SlotReading slot = reader.read(at, format::slot_sector(survey.positions, at));
    // A slot that no longer reads as surveyed is passed over: another copy will do.
    if (!slot.body || slot.seal.seal.commit != winner.id) continue;
    format::Seal next = slot.seal.seal;
    for (const auto& left : {check_number(next.sequence, "sequence number", spare.path()),
                             check_number(next.term, "term", spare.path())}) {
      if (!left) return failure_of(left);
    }
    next.sequence += 1;
    next.term += 1;
    auto store = std::make_unique<SpareStore>(spare, survey.positions, random, clock);
    const auto image = make_image(slot.seal.seal, reader.body_bytes());
    if (auto settled = store->settle(image, slot.body->entries, survey.decision.holders);
        !settled) {
      return failure_of(settled);
    }
    // A crash during this commit leaves the winner whole on a quorum in its own column, and the
    // activation on some copies. The next opening takes the activation if it finds it whole. If
    // not, it makes another one of the same sequence and term but with an id of its own, and the
    // rule for siblings decides should the first one reappear.
    // Written anew at every opening. Without them nothing is wrong as long as a near copy reads,
    // but a growth is not committed that has none.
    if (content.grown_spare) {
      const auto written = write_signposts(spare, next, *content.grown_spare);
      const bool grows = content.grown_spare != survey.content->grown_spare;
      if (!written && grows) return failure_of(written);
    }
    const auto active =
        store->advance(next, content, table::Table(content.extents, content.retired));
    if (!active) return failure_of(active);
    return store;
  }
  return fail(ErrorCode::io, "the winner was readable a moment ago and no longer is", spare.path(),
              "check cable, power and the kernel log");
}

std::size_t table_capacity(const format::Records& records) {
  return format::table_capacity(records.unknown, records.grown_spare.has_value());
}

}  // namespace dmremap::metadata
