// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/store.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
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
  // A crash from here on leaves no mixture of two sets that neither could be told from.
  if (before && *before != positions) erase_seals(spare, *before);
  erase_seals(spare, positions);
  SpareStore store(spare, positions, random, clock);
  format::Seal seal;
  seal.set_uuid = content.identity.set_uuid;
  seal.device_uuid = content.identity.spare_uuid;
  seal.device_size = size;
  seal.positions = positions;
  seal.term = 1;
  // Sequence 1 seals slots B, sequence 2 slots A: no slot keeps what lay there before.
  const table::Table table(content.extents, content.retired);
  for (seal.sequence = 1; seal.sequence <= 2; ++seal.sequence) {
    const auto done = store.advance(seal, content, table);
    if (done && store.held() == kAllCopies) continue;
    erase_seals(spare, positions);
    return fail(ErrorCode::io,
                done ? fmt::format("only {} of 8 metadata copies could be written and read back",
                                   store.held().size())
                     : done.error().what,
                spare.path(), "use a healthy device as spare");
  }
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
  // A copy that holds the winner holds it in its column: elsewhere its seal would be misplaced.
  SlotReader reader(spare);
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (!survey.decision.holders.contains(copy)) continue;
    const format::SlotAddress at{copy, column};
    const SlotReading slot = reader.read(at, format::slot_sector(survey.positions, at));
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
    const auto active =
        store->advance(next, content, table::Table(content.extents, content.retired));
    if (!active) return failure_of(active);
    return store;
  }
  return fail(ErrorCode::io, "the winner was readable a moment ago and no longer is", spare.path(),
              "check cable, power and the kernel log");
}

std::size_t table_capacity(const format::Records& records) {
  return format::table_capacity(records.unknown);
}

}  // namespace dmremap::metadata
