// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/writer/change.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/sector_parts.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

namespace {

using format::EventKind;
using format::Extent;
using format::State;

// A list of thousands must not push all else out of the log.
constexpr std::size_t kEventsOfAList = 8;
// Of a request's deadline: what a search for a place has in any case.
constexpr std::uint64_t kLeastSearchPart = 8;

}  // namespace

bool main_may_help(Outcome outcome) {
  return outcome == Outcome::spare_full || outcome == Outcome::spare_no_space ||
         outcome == Outcome::spare_refuses || outcome == Outcome::table_full;
}

Change::Change(DataPath& path, PlaceSearch& search, const table::Table& table, Evidence evidence,
               std::vector<Extent> unrecorded)
    : path_(path),
      search_(search),
      evidence_(evidence),
      table_(table),
      bad_(std::move(unrecorded)),
      known_bad_(bad_.size()) {}

table::Table Change::table_with_bad() const {
  table::Table out = table_;
  for (const Extent& place : bad_) out = out.with_retired(place);
  return out;
}

void Change::roll_back(const Mark& mark) {
  table_ = mark.table;
  changed_.resize(mark.changed);
  events_.resize(mark.events);
  trouble_ = mark.trouble;
  freed_.resize(mark.freed);
  while (allocated_.size() > mark.allocated) {
    path_.spares.give_back(allocated_.back());
    allocated_.pop_back();
  }
}

void Change::abandon() {
  roll_back({table_, 0, 0, 0, 0, bad_.size()});
}

bool Change::clear_suspects() {
  const std::vector<Extent> extents = table_.extents();
  for (const Extent& extent : extents) {
    if (extent.state() == State::suspect) make_good(extent.main());
  }
  return table_.size() < extents.size();
}

Outcome Change::apply(std::span<const Item> items, std::uint64_t deadline_ns) {
  const Mark before{table_,        changed_.size(), allocated_.size(), events_.size(),
                    freed_.size(), bad_.size(),     trouble_};
  bad_before_ = bad_.size();
  search_until_ns_ = std::max(
      deadline_ns, path_.clock.monotonic_ns() + path_.request_deadline_ns / kLeastSearchPart);
  first_event_ = events_.size();
  told_short_ = {};
  for (const Item& item : items) {
    if (const Outcome outcome = apply(item); outcome != Outcome::done) {
      roll_back(before);
      if (!hopeless_) return outcome;
      // A spare that refuses everywhere is failing as a whole, or somebody made it read-only:
      // giving up more of it with every request would help no one.
      while (bad_.size() > before.bad) {
        path_.spares.give_back(bad_.back().spare());
        bad_.pop_back();
      }
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
    case Item::Kind::move:
      return move(item);
    case Item::Kind::mark_lost:
    case Item::Kind::mark_suspect:
    case Item::Kind::mark_gone:
      mark(item);
      break;
    case Item::Kind::give_up:
      give_up(item);
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
  const table::Table before = table_;
  for (const table::Stretch& stretch : table::stretches(before, item.range)) {
    outcome = stretch.place == table::Place::spare ? rewrite(item, stretch.range, stretch.spare)
                                                   : place(item, stretch.range);
    if (outcome != Outcome::done) break;
  }
  return outcome;
}

Outcome Change::relocate(const Item& item) {
  const table::Table before = table_;
  for (const table::Piece& piece : before.pieces(item.range)) {
    if (piece.state == State::remapped || piece.state == State::gone) continue;
    if (const Outcome outcome = place(item, piece.main); outcome != Outcome::done) return outcome;
  }
  return Outcome::done;
}

Outcome Change::fill(const Item& item) {
  const table::Table before = table_;
  for (const table::Piece& piece : before.pieces(item.range)) {
    if (table::place_of(piece.state) != table::Place::nowhere) continue;
    if (const Outcome outcome = place(item, piece.main); outcome != Outcome::done) return outcome;
  }
  return Outcome::done;
}

void Change::mark(const Item& item) {
  const bool gone = item.kind == Item::Kind::mark_gone;
  const table::Table before = table_;
  for (const table::Piece& piece : before.pieces(item.range)) {
    if (item.kind == Item::Kind::mark_suspect) {
      if (piece.state != State::good) continue;
      bind(item, piece.main, State::suspect, {});
      if (item.cause != 0) trouble_.slow += piece.main.count.value;
      continue;
    }
    if (table::place_of(piece.state) != table::Place::main) continue;
    bind(item, piece.main, gone ? State::gone : State::lost, {});
    tell(gone ? EventKind::gone : EventKind::lost, piece.main, item);
  }
}

void Change::give_up(const Item& item) {
  const table::Table before = table_;
  for (const table::Piece& piece : before.pieces(item.range)) {
    if (piece.state != State::remapped) continue;
    bind(item, piece.main, State::gone, {});
    retire({piece.spare, piece.main.count}, item.cause);
    tell(EventKind::gone, piece.main, item);
  }
}

void Change::clear_suspect(const Item& item) {
  const table::Table before = table_;
  for (const table::Piece& piece : before.pieces(item.range)) {
    if (piece.state == State::suspect) make_good(piece.main);
  }
}

void Change::heal(const Item& item) {
  const table::Table before = table_;
  for (const table::Piece& piece : before.pieces(item.range)) {
    if (piece.state == State::good) continue;
    make_good(piece.main);
    if (piece.state == State::remapped) retire({piece.spare, piece.main.count}, item.cause);
    tell(EventKind::recovered, piece.main, item);
  }
}

void Change::unmap(const Item& item) {
  const table::Table before = table_;
  for (const table::Piece& piece : before.pieces(item.range)) {
    if (piece.state != State::remapped) continue;
    make_good(piece.main);
    freed_.push_back({piece.spare, piece.main.count});
    tell(EventKind::recovered, piece.main, item);
  }
}

Outcome Change::move(const Item& item) {
  const table::Table before = table_;
  for (const table::Piece& piece : before.pieces(item.range)) {
    if (piece.state != State::remapped) continue;
    const Outcome outcome = replace(item, piece.main, piece.spare, item.cause);
    if (outcome != Outcome::done) return outcome;
  }
  return Outcome::done;
}

// The place that is bound now is retired, and the data goes to another one.
Outcome Change::replace(const Item& item, SectorRange part, SpareAddress spare, int cause) {
  make_good(part);  // bound again at once, below, or rolled back
  retire({spare, part.count}, cause);
  return place(item, part);
}

// A remapped sector's place may have taken the data by now, or be bad, or not read what it was
// given: then it is replaced. So is one that an overdue write may still reach; it is free again
// when that has ended, since its request is pinned.
Outcome Change::rewrite(const Item& item, SectorRange part, SpareAddress spare) {
  if (path_.live.is_in_reach(part)) {
    make_good(part);  // bound again at once, or rolled back
    freed_.push_back({spare, part.count});
    return place(item, part);
  }
  const auto data = part_of(item.data, item.range, part);
  const bool failing = path_.spares.failing.any(part);
  if (!failing) {
    const io::IoStatus whole = path_.spares.write(spare, data);
    if (whole.ok()) {
      note_rewritten({spare, part.count});
      return Outcome::done;
    }
    if (const Outcome outcome = refused(spare.index, whole.error); outcome != Outcome::done)
      return outcome;
  }
  for (const SectorRange unit : blocks_in(part, path_.unit())) {
    const SpareAddress place_now = spare + (unit.first - part.first);
    int cause = item.cause;
    if (!failing || !path_.spares.failing.any(unit)) {
      const io::IoStatus status = path_.spares.write(place_now, part_of(data, part, unit));
      if (status.ok()) {
        note_rewritten({place_now, unit.count});
        continue;
      }
      if (const Outcome outcome = refused(spare.index, status.error); outcome != Outcome::done)
        return outcome;
      cause = status.error;
    }
    const Outcome outcome = replace(item, unit, place_now, cause);
    if (outcome != Outcome::done) return outcome;
  }
  return Outcome::done;
}

// Data in a place that another job of this very change has bound stands and falls with the change:
// who brought it must not be told that all is well if the commit fails.
void Change::note_rewritten(SpareRange place) {
  if (std::ranges::any_of(allocated_, [&](const SpareRange& one) { return one.overlaps(place); })) {
    ++steps_;
  }
}

// What an error of a spare comes to; done: its sectors are to blame.
Outcome Change::refused(SpareIndex spare, int error) {
  const io::Fault fault = path_.spares.at(spare).diagnose(error);
  if (fault == io::Fault::media) return Outcome::done;
  return fault == io::Fault::no_space ? Outcome::spare_no_space : Outcome::failed;
}

bool Change::out_of_time() const {
  return bad_.size() > bad_before_ && path_.clock.monotonic_ns() >= search_until_ns_;
}

Outcome Change::place(const Item& item, SectorRange part) {
  std::vector<SectorRange> left{part};
  while (!left.empty()) {
    if (hopeless_) return Outcome::spare_refuses;
    if (out_of_time()) return Outcome::spare_refuses;
    SectorRange& next = left.back();
    const SectorCount wanted = search_.feeling() ? path_.unit() : next.count;
    std::optional<SpareRange> run = path_.spares.allocate(wanted);
    if (!run) {
      path_.spares.reclaim(path_.live.oldest_request());
      run = path_.spares.allocate(wanted);
    }
    if (!run) return Outcome::spare_full;
    const SectorRange taken{next.first, run->count};
    next = {taken.end(), next.count - taken.count};
    if (next.empty()) left.pop_back();
    if (const Outcome outcome = place_once(item, taken, run->first, left);
        outcome != Outcome::done) {
      return outcome;
    }
  }
  const bool readable_again = item.kind == Item::Kind::fill || item.kind == Item::Kind::move ||
                              (item.kind == Item::Kind::relocate && item.cause != 0);
  tell(readable_again ? EventKind::recovered : EventKind::remap, part, item);
  return Outcome::done;
}

// What of the run found no place is added to `left`.
Outcome Change::place_once(const Item& item, SectorRange run, SpareAddress spare,
                           std::vector<SectorRange>& left) {
  const io::IoStatus whole = path_.spares.write(spare, part_of(item.data, item.range, run));
  if (whole.ok()) {
    search_.report_success();
    allocated_.push_back({spare, run.count});
    bind(item, run, State::remapped, spare);
    return Outcome::done;
  }
  if (const Outcome outcome = refused(spare.index, whole.error); outcome != Outcome::done) {
    path_.spares.give_back({spare, run.count});
    return outcome;
  }
  return place_units(item, run, spare, whole, left);
}

// A run that was refused as a whole, unit by unit until the search wants to be elsewhere.
Outcome Change::place_units(const Item& item, SectorRange run, SpareAddress spare,
                            io::IoStatus whole, std::vector<SectorRange>& left) {
  for (const SectorRange unit : blocks_in(run, path_.unit())) {
    const SpareRange place_now{spare + (unit.first - run.first), unit.count};
    const io::IoStatus status =
        unit == run ? whole
                    : path_.spares.write(place_now.first, part_of(item.data, item.range, unit));
    if (status.ok()) {
      search_.report_success();
      allocated_.push_back(place_now);
      bind(item, unit, State::remapped, place_now.first);
      continue;
    }
    const SpareRange untried{place_now.end(), run.end() - unit.end()};
    if (const Outcome outcome = refused(spare.index, status.error); outcome != Outcome::done) {
      path_.spares.give_back(place_now);
      path_.spares.give_back(untried);
      return outcome;
    }
    bad_.push_back(retired_place(place_now, status.error));
    append_run(left, unit);
    const auto jump = search_.report_failure();
    hopeless_ = !jump;
    if (jump && jump->value == 0 && !out_of_time()) continue;
    path_.spares.give_back(untried);
    if (!untried.empty()) append_run(left, {unit.end(), untried.count});
    if (jump) path_.spares.at(spare.index).allocator.skip(*jump);
    return Outcome::done;
  }
  return Outcome::done;
}

void Change::bind(const Item& item, SectorRange part, State state, SpareAddress spare) {
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

Extent Change::retired_place(SpareRange spare, int cause) const {
  Extent extent(State::retired, {{0}, spare.count}, spare.first);
  extent.with_evidence(cause, evidence_.sequence, evidence_.wall_ns);
  return extent;
}

void Change::retire(SpareRange spare, int cause) {
  table_ = table_.with_retired(retired_place(spare, cause));
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

void Change::count_trouble(EventKind kind, SectorRange range, const Item& item) {
  const std::uint64_t sectors = range.count.value;
  if (item.kind == Item::Kind::mark_gone ||
      (item.kind == Item::Kind::mark_lost && item.cause != 0)) {
    trouble_.lost += sectors;
  }
  // What is slow is counted when it is found, and is moved before it fails.
  if (item.kind == Item::Kind::relocate && item.cause != 0 && item.cause != ETIME) {
    ++trouble_.recovered;
    trouble_.remapped += sectors;
  }
  const bool stored = item.kind == Item::Kind::store && kind == EventKind::remap;
  if (stored && item.cause != 0 && path_.main_write_refusal.load() == 0) {
    trouble_.remapped += sectors;
  }
}

void Change::tell(EventKind kind, SectorRange range, const Item& item) {
  count_trouble(kind, range, item);
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
    case Item::Kind::move:
      event.text = "its spare sector reads again";
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
    case Item::Kind::give_up:
      event.text = "spare sector bad, given up";
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
