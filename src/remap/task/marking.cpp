// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/task/marking.hpp"

#include <algorithm>
#include <vector>

namespace dmremap::remap {

namespace {

// Every write beside the clean regions looks through all of them.
constexpr std::size_t kMostHolds = 256;

void append_items(std::vector<Item>& items, Item::Kind kind,
                  const std::vector<SectorRange>& ranges) {
  for (const SectorRange& range : ranges) {
    for (Sector at = range.first; at < range.end();) {
      const SectorRange part{at, std::min(range.end() - at, table::kLongestMark)};
      items.push_back({kind, part, {}, 0});
      at = part.end();
    }
  }
}

}  // namespace

Result<table::Marked> mark(DataPath& path, Remapper& remapper, const table::KnownBad& list) {
  if (!path.writable()) return error_of(Outcome::read_only, path);
  if (path.breaker.tripped()) return error_of(Outcome::tripped, path);
  const table::LiveTable::Hold hold = path.live.hold(table::covering(list, kMostHolds));
  if (!path.live.drain(hold, path.clock, path.deadline_from_now())) {
    return fail(ErrorCode::timeout, "a request in flight there does not end", {}, "try again");
  }
  const table::Marked out = table::count_marks(list, path.live.table());
  std::vector<Item> items;
  append_items(items, Item::Kind::mark_lost, list.lost);
  append_items(items, Item::Kind::mark_suspect, list.suspect);
  if (items.empty()) return out;
  if (const Outcome outcome = remapper.run(items); outcome != Outcome::done) {
    return error_of(outcome, path);
  }
  return out;
}

}  // namespace dmremap::remap
