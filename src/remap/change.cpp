// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/change.hpp"

#include <fmt/format.h>

#include "remap/narrow.hpp"
#include "remap/route.hpp"

namespace dmremap::remap {

namespace {

using format::EventKind;
using format::Extent;
using format::State;

// A spare that refuses so many fresh sectors in a row is failing as a whole; retiring the rest of
// it would help no one.
constexpr unsigned kSpareFailuresInARow = 16;
// A list of thousands must not push all else out of the log.
constexpr std::size_t kEventsOfAList = 8;

}  // namespace

Change::Change(DataPath& path, Allocator& allocator, const Table& table, Evidence evidence)
    : path_(path), allocator_(allocator), evidence_(evidence), table_(table) {}

void Change::roll_back(const Mark& mark) {
  table_ = mark.table;
  changed_.resize(mark.changed);
  events_.resize(mark.events);
  freed_.resize(mark.freed);
  while (allocated_.size() > mark.allocated) {
    allocator_.give_back(allocated_.back());
    allocated_.pop_back();
  }
}

void Change::abandon() {
  roll_back({table_, 0, 0, 0, 0});
}

bool Change::clear_suspects() {
  const std::vector<Extent> extents = table_.extents();
  for (const Extent& extent : extents) {
    if (extent.state() == State::suspect) make_good(extent.main());
  }
  return table_.size() < extents.size();
}

Outcome Change::apply(std::span<const Item> items) {
  const Mark before{table_, changed_.size(), allocated_.size(), events_.size(), freed_.size()};
  first_event_ = events_.size();
  told_short_ = {};
  for (const Item& item : items) {
    if (const Outcome outcome = apply(item); outcome != Outcome::done) {
      roll_back(before);
      return outcome;
    }
  }
  return Outcome::done;
}

Outcome Change::apply(const Item& item) {
  switch (item.kind) {
    case Item::Kind::store:
      return store(item);
    case Item::Kind::relocate:
      return relocate(item);
    case Item::Kind::fill:
      return fill(item);
    case Item::Kind::mark_lost:
    case Item::Kind::mark_suspect:
    case Item::Kind::mark_gone:
      mark(item);
      break;
    case Item::Kind::clear_suspect:
      clear_suspect(item);
      break;
    case Item::Kind::unmap:
      unmap(item);
      break;
    case Item::Kind::heal:
      heal(item);
      break;
  }
  return Outcome::done;
}

Outcome Change::store(const Item& item) {
  Outcome outcome = Outcome::done;
  const Table before = table_;
  for_each_stretch(before, item.range, [&](const Stretch& stretch) {
    outcome = stretch.place == Place::spare ? rewrite(item, stretch.range, stretch.spare)
                                            : place(item, stretch.range);
    return outcome == Outcome::done;
  });
  return outcome;
}

Outcome Change::relocate(const Item& item) {
  const Table before = table_;
  for (Sector at = item.range.first; at < item.range.end();) {
    const Piece piece = before.piece_at(at, item.range.end());
    at = piece.main.end();
    if (piece.state == State::remapped || piece.state == State::gone) continue;
    if (const Outcome outcome = place(item, piece.main); outcome != Outcome::done) return outcome;
  }
  return Outcome::done;
}

Outcome Change::fill(const Item& item) {
  const Table before = table_;
  for (Sector at = item.range.first; at < item.range.end();) {
    const Piece piece = before.piece_at(at, item.range.end());
    at = piece.main.end();
    if (place_of(piece.state) != Place::nowhere) continue;
    if (const Outcome outcome = place(item, piece.main); outcome != Outcome::done) return outcome;
  }
  return Outcome::done;
}

void Change::mark(const Item& item) {
  const bool gone = item.kind == Item::Kind::mark_gone;
  const Table before = table_;
  for (Sector at = item.range.first; at < item.range.end();) {
    const Piece piece = before.piece_at(at, item.range.end());
    at = piece.main.end();
    if (item.kind == Item::Kind::mark_suspect) {
      if (piece.state == State::good) bind(item, piece.main, State::suspect, {});
      continue;
    }
    const bool on_main = place_of(piece.state) == Place::main;
    if (!on_main && !(gone && piece.state == State::remapped)) continue;
    bind(item, piece.main, gone ? State::gone : State::lost, {});
    if (!on_main) retire({piece.spare, piece.main.count}, item.cause);
    tell(gone ? EventKind::gone : EventKind::lost, piece.main, item);
  }
}

void Change::clear_suspect(const Item& item) {
  const Table before = table_;
  for (Sector at = item.range.first; at < item.range.end();) {
    const Piece piece = before.piece_at(at, item.range.end());
    at = piece.main.end();
    if (piece.state == State::suspect) make_good(piece.main);
  }
}

void Change::heal(const Item& item) {
  const Table before = table_;
  for (Sector at = item.range.first; at < item.range.end();) {
    const Piece piece = before.piece_at(at, item.range.end());
    at = piece.main.end();
    if (piece.state == State::good) continue;
    make_good(piece.main);
    if (piece.state == State::remapped) retire({piece.spare, piece.main.count}, item.cause);
    tell(EventKind::recovered, piece.main, item);
  }
}

void Change::unmap(const Item& item) {
  const Table before = table_;
  for (Sector at = item.range.first; at < item.range.end();) {
    const Piece piece = before.piece_at(at, item.range.end());
    at = piece.main.end();
    if (piece.state != State::remapped) continue;
    make_good(piece.main);
    freed_.push_back({piece.spare, piece.main.count});
    tell(EventKind::recovered, piece.main, item);
  }
}

// A remapped sector's place may have taken the data by now, or be bad: then it is retired and the
// data goes to the next one.
Outcome Change::rewrite(const Item& item, SectorRange part, Sector spare) {
  const auto data = part_of(item.data, item.range, part);
  const io::IoStatus whole = path_.write_spare(spare, data);
  if (whole.ok()) return Outcome::done;
  if (path_.find_spare(whole.error) != Finding::media) return Outcome::failed;
  for (Sector at = part.first; at < part.end(); at = at + path_.unit()) {
    const SectorRange unit{at, path_.unit()};
    const Sector place_now = spare + (at - part.first);
    const io::IoStatus status = path_.write_spare(place_now, part_of(data, part, unit));
    if (status.ok()) continue;
    if (path_.find_spare(status.error) != Finding::media) return Outcome::failed;
    make_good(unit);  // bound again at once, below, or rolled back
    retire({place_now, unit.count}, status.error);
    if (const Outcome outcome = place(item, unit); outcome != Outcome::done) return outcome;
  }
  return Outcome::done;
}

Outcome Change::place(const Item& item, SectorRange part) {
  std::vector<SectorRange> left{part};
  while (!left.empty()) {
    SectorRange& next = left.back();
    std::optional<SectorRange> run = allocator_.allocate(next.count);
    if (!run) {
      allocator_.reclaim(path_.live.pins().oldest());
      run = allocator_.allocate(next.count);
    }
    if (!run) return Outcome::spare_full;
    allocated_.push_back(*run);
    const SectorRange taken{next.first, run->count};
    next = {taken.end(), next.count - taken.count};
    if (next.empty()) left.pop_back();
    if (const Outcome outcome = place_once(item, taken, run->first, left);
        outcome != Outcome::done) {
      return outcome;
    }
  }
  const bool readable_again =
      item.kind == Item::Kind::fill || (item.kind == Item::Kind::relocate && item.cause != 0);
  tell(readable_again ? EventKind::recovered : EventKind::remap, part, item);
  return Outcome::done;
}

// Units that the spare refuses are retired and added to `left`.
Outcome Change::place_once(const Item& item, SectorRange run, Sector spare,
                           std::vector<SectorRange>& left) {
  const io::IoStatus whole = path_.write_spare(spare, part_of(item.data, item.range, run));
  if (whole.ok()) {
    spare_failures_in_a_row_ = 0;
    bind(item, run, State::remapped, spare);
    return Outcome::done;
  }
  if (path_.find_spare(whole.error) != Finding::media) return Outcome::failed;
  for (Sector at = run.first; at < run.end(); at = at + path_.unit()) {
    const SectorRange unit{at, path_.unit()};
    const Sector place_now = spare + (at - run.first);
    const io::IoStatus status = path_.write_spare(place_now, part_of(item.data, item.range, unit));
    if (status.ok()) {
      spare_failures_in_a_row_ = 0;
      bind(item, unit, State::remapped, place_now);
      continue;
    }
    if (path_.find_spare(status.error) != Finding::media) return Outcome::failed;
    if (++spare_failures_in_a_row_ > kSpareFailuresInARow) return Outcome::failed;
    retire({place_now, unit.count}, status.error);
    append_run(left, unit);
  }
  return Outcome::done;
}

void Change::bind(const Item& item, SectorRange part, State state, Sector spare) {
  Extent extent(state, part, spare);
  extent.with_evidence(item.cause, evidence_.sequence, evidence_.wall_ns);
  table_ = table_.replaced(part, {&extent, 1});
  append_run(changed_, part);
  ++steps_;
}

void Change::make_good(SectorRange part) {
  table_ = table_.replaced(part, {});
  append_run(changed_, part);
  ++steps_;
}

void Change::retire(SectorRange spare, int cause) {
  Extent extent(State::retired, {{0}, spare.count}, spare.first);
  extent.with_evidence(cause, evidence_.sequence, evidence_.wall_ns);
  table_ = table_.with_retired(extent);
}

// Of a list, after the first few: one event for all the rest.
bool Change::tell_short(SectorRange range, const Item& item) {
  const bool filled = item.kind == Item::Kind::fill;
  const bool listed = item.kind == Item::Kind::mark_lost && item.cause == 0;
  if ((!listed && !filled) || events_.size() - first_event_ < kEventsOfAList) return false;
  if (told_short_.value == 0) {
    format::Event rest;
    rest.kind = filled ? EventKind::recovered : EventKind::lost;
    rest.severity = filled ? Severity::info : Severity::error;
    events_.push_back(std::move(rest));
  }
  told_short_ = told_short_ + range.count;
  events_.back().text =
      fmt::format("{} sectors more, {}", told_short_.value, filled ? "filled" : "listed");
  return true;
}

void Change::tell(EventKind kind, SectorRange range, const Item& item) {
  if (events_.size() > first_event_) {
    format::Event& last = events_.back();
    if (last.kind == kind && last.error == item.cause && last.main.end() == range.first) {
      last.main.count = last.main.count + range.count;
      return;
    }
  }
  if (tell_short(range, item)) return;
  format::Event event;
  event.kind = kind;
  event.severity = kind == EventKind::lost || kind == EventKind::gone ? Severity::error
                   : kind == EventKind::remap                         ? Severity::warning
                                                                      : Severity::info;
  event.main = range;
  event.error = item.cause;
  switch (item.kind) {
    case Item::Kind::store:
      event.text = "written to the spare";
      break;
    case Item::Kind::relocate:
      event.text = item.cause == 0 ? "relocated by hand" : "read again, relocated";
      break;
    case Item::Kind::fill:
      event.text = "filled from an image";
      break;
    case Item::Kind::mark_lost:
      event.text = item.cause == 0 ? "listed as known bad" : "main cannot read it";
      break;
    case Item::Kind::mark_suspect:
    case Item::Kind::clear_suspect:
      // Comes and goes without an event: the sector was served well all the time.
      break;
    case Item::Kind::mark_gone:
      event.text = "the newest version is unreadable";
      break;
    case Item::Kind::heal:
      event.text = "written to main again";
      break;
    case Item::Kind::unmap:
      event.text = "brought back to main";
      break;
  }
  events_.push_back(std::move(event));
}

}  // namespace dmremap::remap
