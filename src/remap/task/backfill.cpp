// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/task/backfill.hpp"

#include <vector>

#include "remap/writer/quiesced_range.hpp"

namespace dmremap::remap {

namespace {

using format::State;

// Whether the extent at `sector` was bound after `as_of`. Only the low halves of sequences are
// kept: this holds for 2^31 commits.
bool is_newer(const table::Table& table, Sector sector, std::uint64_t as_of) {
  const auto extent = table.find(sector);
  return extent && static_cast<std::int32_t>(extent->bound_sequence() -
                                             static_cast<std::uint32_t>(as_of)) > 0;
}

// What may be filled of one range. Requires that it is held and drained.
void sort_out(const table::Table& table, SectorRange range, std::span<const std::byte> data,
              const Backfill& fill, std::vector<Item>& items, BackfillReport& done) {
  for (const table::Piece& piece : table.pieces(range)) {
    const SectorCount count = piece.main.count;
    // A sector that a user wrote since the image was read is not lost any more, and stays. One that
    // was written and lost again has other contents than the image: its commit is newer.
    const bool nowhere = piece.state == State::lost || piece.state == State::gone;
    if (!nowhere || is_newer(table, piece.main.first, fill.as_of)) {
      done.unchanged = done.unchanged + count;
    } else if (piece.state == State::gone && !fill.gone_too) {
      done.kept_gone = done.kept_gone + count;
    } else {
      items.push_back({Item::Kind::fill, piece.main, part_of(data, range, piece.main), 0});
      done.filled = done.filled + count;
    }
  }
}

}  // namespace

Result<BackfillReport> backfill(DataPath& path, Remapper& remapper, const Backfill& fill) {
  auto quiesced = quiesce(path, remapper, fill.ranges, NeedsMain::yes);
  if (!quiesced) return error_of(quiesced.error(), path);
  BackfillReport done;
  std::vector<Item> items;
  std::span<const std::byte> left = fill.data;
  for (const SectorRange& range : fill.ranges) {
    sort_out(quiesced->table(), range, left.first(range.count.bytes()), fill, items, done);
    left = left.subspan(range.count.bytes());
  }
  if (const Outcome outcome = quiesced->bind(items); outcome != Outcome::done) {
    return error_of(outcome, path);
  }
  return done;
}

}  // namespace dmremap::remap
