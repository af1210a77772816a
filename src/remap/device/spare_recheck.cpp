// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/spare_recheck.hpp"

#include "remap/writer/quiesced_range.hpp"

namespace dmremap::remap {

namespace {

using format::State;

// In one round: a dead sector takes seconds to fail, and others wait for this thread, too.
constexpr std::size_t kMostAtOnce = 32;

}  // namespace

SpareRecheck::SpareRecheck(DataPath& path, Remapper& remapper)
    : path_(path), remapper_(remapper), buffer_(kMostAtOnce * path.unit().bytes()) {}

bool SpareRecheck::still_failing(const table::Table& table, SectorRange unit) const {
  const table::Piece piece = table.piece_at(unit.first, unit.end());
  return piece.state == State::remapped && piece.main == unit && path_.spares.failing.any(unit);
}

void SpareRecheck::ask(const ContinueCheck& go_on) {
  std::vector<SectorRange> well;
  std::vector<DeadUnit> given_up;
  for (const SectorRange& unit :
       path_.spares.failing.due(path_.clock.monotonic_ns(), kMostAtOnce)) {
    // What was read so far is forgotten, and is due again.
    if (!go_on()) return;
    SpareIndex on = kFirstSpare;
    const io::IoStatus status = read(unit, on);
    const std::uint64_t now_ns = path_.clock.monotonic_ns();
    if (status.ok()) {
      well.push_back(unit);
      // The spare as a whole is away or refuses: that says nothing of this sector.
    } else if (path_.spares.at(on).diagnose(status.error) != io::Fault::media) {
      path_.spares.failing.put_off(unit, now_ns);
    } else if (path_.spares.failing.note_again(unit, status.error, now_ns)) {
      given_up.push_back({unit, status.error});
    }
  }
  if (!well.empty()) move(well);
  if (!given_up.empty()) give_up(given_up);
}

// Pinned, so that the place that the table names is not somebody else's by the time it is read.
io::IoStatus SpareRecheck::read(SectorRange unit, SpareIndex& on) {
  const table::Pins::Pin pin = path_.live.pin(unit);
  const table::Piece piece = path_.live.snapshot().table.piece_at(unit.first, unit.end());
  if (piece.state != State::remapped) return io::kIoOk;  // move() drops what is no longer failing
  on = piece.spare.index;
  return path_.spares.read(piece.spare, buffer_.span().first(unit.count.bytes()));
}

void SpareRecheck::move(const std::vector<SectorRange>& well) {
  // Main has no part in it, and may be away.
  auto quiesced = quiesce(path_, remapper_, well, NeedsMain::no);
  if (!quiesced) return;
  // A write may have come since it was read: what is moved is read again now.
  const table::Table& table = quiesced->table();
  std::vector<Item> items;
  auto left = buffer_.span();
  for (const SectorRange& unit : well) {
    if (!still_failing(table, unit)) continue;
    const auto data = left.first(unit.count.bytes());
    left = left.subspan(data.size());
    const SpareAddress place = table.piece_at(unit.first, unit.end()).spare;
    if (const io::IoStatus status = path_.spares.read(place, data); !status.ok()) {
      // Others wait for the hold. It is due again after a while, with those that come after it.
      path_.spares.failing.put_off(unit, path_.clock.monotonic_ns());
      break;
    }
    // A crash before the commit leaves the former place, which still has the data.
    items.push_back({Item::Kind::move, unit, data, EIO});
  }
  if (!main_may_help(quiesced->bind(items))) return;
  // There is no other place, and this one reads: it may as well serve again.
  for (const Item& item : items) {
    path_.spares.failing.clear(item.range);
    path_.emit(format::EventKind::recovered, Severity::info, item.range, 0,
               "its spare sector reads again");
  }
}

void SpareRecheck::give_up(const std::vector<DeadUnit>& units) {
  std::vector<SectorRange> ranges;
  ranges.reserve(units.size());
  for (const DeadUnit& one : units) ranges.push_back(one.unit);
  auto quiesced = quiesce(path_, remapper_, std::move(ranges), NeedsMain::no);
  if (!quiesced) return;
  std::vector<Item> items;
  for (const DeadUnit& one : units) {
    if (still_failing(quiesced->table(), one.unit)) {
      items.push_back({Item::Kind::give_up, one.unit, {}, one.error});
    }
  }
  (void)quiesced->bind(items);
}

}  // namespace dmremap::remap
