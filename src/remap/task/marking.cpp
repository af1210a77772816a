// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/task/marking.hpp"

#include <utility>
#include <vector>

#include "base/sector_parts.hpp"
#include "remap/writer/quiesced_range.hpp"

namespace dmremap::remap {

namespace {

void append_items(std::vector<Item>& items, Item::Kind kind,
                  const std::vector<SectorRange>& ranges) {
  for (const SectorRange& range : ranges) {
    // An entry of the table holds no longer run.
    for (const SectorRange part : chunks_of(range, table::kLongestMark)) {
      items.push_back({kind, part, {}, 0});
    }
  }
}

}  // namespace

Result<table::MarkReport> mark(DataPath& path, Remapper& remapper, const table::KnownBad& list) {
  // Nobody has read these sectors to find out, so a write that is in flight goes first and has its
  // say in what is counted.
  std::vector<SectorRange> ranges = list.lost;
  ranges.insert(ranges.end(), list.suspect.begin(), list.suspect.end());
  auto quiesced = quiesce(path, remapper, std::move(ranges), NeedsMain::yes);
  if (!quiesced) return error_of(quiesced.error(), path);
  const table::MarkReport out = table::count_marks(list, quiesced->table());
  std::vector<Item> items;
  // One job for all: a crash leaves the table without the list or with all of it.
  append_items(items, Item::Kind::mark_lost, list.lost);
  append_items(items, Item::Kind::mark_suspect, list.suspect);
  if (const Outcome outcome = quiesced->bind(items); outcome != Outcome::done) {
    return error_of(outcome, path);
  }
  return out;
}

}  // namespace dmremap::remap
