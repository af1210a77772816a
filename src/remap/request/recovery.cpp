// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/recovery.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "base/sector_parts.hpp"

namespace dmremap::remap {

namespace {

// What waits to be recorded is watched, and readers of it wait: for so much or so long at most.
constexpr std::size_t kMostExamined = 64;
constexpr std::uint64_t kLongestUnrecordedNs = 200'000'000;
// A block that somebody writes to all the time is not looked at for ever.
constexpr unsigned kLooks = 3;

// The device is not there, or the request itself is at fault.
bool concludes_nothing(int error) {
  return !io::may_be_the_sector(io::classify(error));
}

void append_item(std::vector<Item>& items, Item::Kind kind, SectorRange range, int cause,
                 std::span<const std::byte> data = {}) {
  if (!items.empty() && items.back().range.end() == range.first && items.back().cause == cause) {
    Item& last = items.back();
    // Neighbours in the table, and in the buffer they were read into?
    const bool adjoin = data.empty() || last.data.data() + last.data.size() == data.data();
    if (adjoin) {
      last.range.count = last.range.count + range.count;
      if (!data.empty()) last.data = {last.data.data(), last.data.size() + data.size()};
      return;
    }
  }
  items.push_back({kind, range, data, cause});
}

}  // namespace

// Sectors of main that the spare which has them could not read.
struct Recovery::SpoiledRun {
  SectorRange range;
  SpareIndex spare = kFirstSpare;
};

// A block that did not read as a whole, unit by unit.
struct Recovery::ExaminedBlock {
  WatchedRange block;
  std::vector<SectorRange> read;    // on main, at once
  std::vector<SectorRange> weak;    // on main, in the end
  std::vector<SectorRange> bad;     // main could not
  std::vector<SpoiledRun> spoiled;  // a spare could not, this time
  bool all_on_main = true;
};

// One settling in progress.
struct Recovery::Settlement {
  SectorRange range;
  std::span<std::byte> out;
  LossState loss_state = LossState::lost;
  std::vector<ExaminedBlock> examined;
  std::uint64_t examined_since_ns = 0;
  int last_main_error = 0;                           // of a bad unit
  std::array<int, kMostSpares> last_spare_errors{};  // of a spoiled one, by spare
  bool stop = false;  // the device is not there, or the request is refused: conclude nothing
};

void Recovery::append_spoiled(std::vector<SpoiledRun>& runs, const SpoiledRun& next) {
  const bool joins = !runs.empty() && runs.back().spare == next.spare &&
                     runs.back().range.end() == next.range.first;
  if (joins) {
    runs.back().range.count = runs.back().range.count + next.range.count;
  } else {
    runs.push_back(next);
  }
}

// Pinned, so that what is read is what the place that was looked up holds.
Recovery::ReadResult Recovery::read_once(SectorRange range, std::span<std::byte> out) {
  const table::Pins::Pin pin = path_.live.pin(range);
  if (path_.live.clean(range)) return {path_.read_main(range.first, out), table::Place::main};
  ReadResult reading;
  for (const table::Stretch& stretch : table::stretches(path_.live.snapshot().table, range)) {
    const auto part = part_of(out, range, stretch.range);
    reading.place = stretch.place;
    reading.spare = stretch.spare.index;
    switch (stretch.place) {
      case table::Place::main:
        reading.status = path_.read_main(stretch.range.first, part);
        break;
      case table::Place::spare:
        if (path_.spares.failing.any(stretch.range)) {
          reading = {{EIO}, table::Place::nowhere};
          break;
        }
        reading.status = path_.spares.read(stretch.spare, part);
        break;
      case table::Place::nowhere:
        reading.status = {EIO};
        break;
    }
    if (!reading.status.ok()) break;
  }
  return reading;
}

// The errno, 0 if it was read.
int Recovery::read_unit(SectorRange unit, ExaminedBlock& examined, Settlement& settlement) {
  const auto out = part_of(settlement.out, settlement.range, unit);
  for (unsigned tries = 1;; ++tries) {
    const ReadResult reading = read_once(unit, out);
    const int error = reading.status.error;
    const bool on_main = reading.place == table::Place::main;
    // What read only when asked again is weak, and moves while it still can.
    if (error == 0 && on_main) append_run(tries > 1 ? examined.weak : examined.read, unit);
    if (!on_main) examined.all_on_main = false;
    if (error == 0 || reading.place == table::Place::nowhere) return error;
    // Nothing is concluded of this block, nor of those that were examined before it: they may have
    // failed for the same reason.
    if (concludes_nothing(error)) {
      if (on_main) (void)path_.diagnose_main(error);
      settlement.stop = true;
      return error;
    }
    // The spare is asked twice, whatever the policy says of main.
    if (tries < std::max(1U, on_main ? path_.policy.read_retries : 2U)) continue;
    if (on_main) {
      append_run(examined.bad, unit);
      settlement.last_main_error = error;
    } else {
      append_spoiled(examined.spoiled, {unit, reading.spare});
      settlement.last_spare_errors.at(position_of(reading.spare)) = error;
    }
    return error;
  }
}

int Recovery::examine(WatchedRange watched, Settlement& settlement) {
  if (settlement.examined.empty()) settlement.examined_since_ns = path_.clock.monotonic_ns();
  settlement.examined.push_back({std::move(watched), {}, {}, {}, {}, true});
  ExaminedBlock& examined = settlement.examined.back();
  const SectorRange block = examined.block.range();
  int last = 0;
  for (const SectorRange unit : blocks_in(block, path_.unit())) {
    if (settlement.stop) break;
    if (const int error = read_unit(unit, examined, settlement); error != 0) last = error;
  }
  return last;
}

int Recovery::take_apart(SectorRange block, Settlement& settlement) {
  const std::uint64_t deadline_ns = path_.deadline_from_now();
  for (unsigned look = 0; look < kLooks; ++look) {
    // Not held: each read may take a minute, and writes go on meanwhile.
    auto watched = WatchedRange::begin(path_, block, deadline_ns);
    if (watched) return examine(std::move(*watched), settlement);
    if (watched.error() == WatchFailure::timeout) break;
    // Another thread reads it already. Let go of what that may be waiting for.
    record(settlement);
    if (!path_.wait_unwatched(block, deadline_ns)) break;
    // The other one has settled it by now, in most cases: then this is a read like any other.
    const ReadResult again = read_once(block, part_of(settlement.out, settlement.range, block));
    if (again.status.ok() || again.place == table::Place::nowhere) return again.status.error;
  }
  return ETIMEDOUT;
}

Recovery::Settled Recovery::settle(SectorRange range, std::span<std::byte> out,
                                   LossState loss_state, const ContinueCheck& wanted) {
  Settlement settlement;
  settlement.range = range;
  settlement.out = out;
  settlement.loss_state = loss_state;
  Settled settled;
  int& last = settled.status.error;
  for (const SectorRange block : blocks_in(range, path_.block())) {
    if (settlement.stop) break;
    if (!wanted()) {
      last = ETIMEDOUT;
      break;
    }
    const ReadResult reading = read_once(block, part_of(out, range, block));
    if (const int error = reading.status.error; error != 0) {
      settled.read_at_once = false;
      // The device or the request is at fault, not the sector.
      if (concludes_nothing(error)) {
        if (reading.place == table::Place::main) (void)path_.diagnose_main(error);
        last = error;
        break;
      }
      if (const int left = take_apart(block, settlement); left != 0) last = left;
    }
    const bool long_enough =
        !settlement.examined.empty() &&
        path_.clock.monotonic_ns() - settlement.examined_since_ns >= kLongestUnrecordedNs;
    // A crash before this forgets what was examined: the sectors are asked again when they are
    // read.
    if (long_enough || settlement.examined.size() >= kMostExamined) record(settlement);
  }
  record(settlement);
  const table::Table table = path_.live.table();
  settled.on_main = std::ranges::any_of(
      table::stretches(table, range),
      [](const table::Stretch& stretch) { return stretch.place == table::Place::main; });
  return settled;
}

void Recovery::count_read_again(const Settled& settled) {
  if (settled.status.ok() && settled.read_at_once && settled.on_main) {
    path_.trouble.recovered.fetch_add(1);
  }
}

// The spare has the only copy: the binding stays, and the spare is asked again.
void Recovery::note_failing(SectorRange range, int error) {
  std::vector<SectorRange> fresh;
  for (const SectorRange unit : blocks_in(range, path_.unit())) {
    if (path_.spares.failing.note(unit, error, path_.clock.monotonic_ns())) append_run(fresh, unit);
  }
  for (const SectorRange& run : fresh) {
    path_.emit(format::EventKind::lost, Severity::error, run, error,
               "spare sector fails, asked again");
  }
}

// `quiesced` holds all that was examined.
void Recovery::bind(QuiescedRange& quiesced, const Settlement& settlement) {
  std::vector<Item> marks;
  std::vector<Item> moves;
  for (const ExaminedBlock& examined : settlement.examined) {
    // A write came while it was read: what was found out is of older contents, and so counts for
    // nothing. The write itself has settled the sector.
    if (!examined.block.is_undisturbed(quiesced)) continue;
    const Item::Kind bad =
        settlement.loss_state == LossState::gone ? Item::Kind::mark_gone : Item::Kind::mark_lost;
    for (const SectorRange& part : examined.bad) {
      append_item(marks, bad, part, settlement.last_main_error);
    }
    for (const SpoiledRun& part : examined.spoiled) {
      note_failing(part.range, settlement.last_spare_errors.at(position_of(part.spare)));
    }
    // What main still reads after a flush failed stays where it is.
    if (settlement.loss_state == LossState::gone) continue;
    for (const SectorRange& part : examined.weak) {
      append_item(moves, Item::Kind::relocate, part, EIO,
                  part_of(settlement.out, settlement.range, part));
    }
    // A block that did not read as a whole while each of its units does is weak. With a bad unit in
    // it, or one that is elsewhere, that was the cause, and its neighbours stay where they are.
    const bool weak_block = examined.all_on_main && examined.bad.empty() && examined.weak.empty();
    if (!weak_block) continue;
    for (const SectorRange& part : examined.read) {
      append_item(moves, Item::Kind::relocate, part, EIO,
                  part_of(settlement.out, settlement.range, part));
    }
  }
  // Two jobs: a spare without room must not keep a loss from being recorded. Whatever becomes of
  // them, the data that was read is right and the rest is an error.
  (void)quiesced.bind(marks);
  (void)quiesced.bind(moves);
}

void Recovery::record(Settlement& settlement) {
  auto& examined = settlement.examined;
  const bool recording = remapper_ != nullptr && path_.writable() && !settlement.stop;
  if (recording && !examined.empty()) {
    // The devices may have gone while they were asked: then their failures mean nothing.
    if (settlement.last_main_error != 0 &&
        path_.diagnose_main(settlement.last_main_error) != io::Fault::media) {
      for (ExaminedBlock& one : examined) one.bad.clear();
    }
    for (SpareDevice& spare : path_.spares) {
      const int error = settlement.last_spare_errors.at(position_of(spare.index));
      if (error == 0 || spare.diagnose(error) == io::Fault::media) continue;
      for (ExaminedBlock& one : examined) {
        std::erase_if(one.spoiled, [&](const SpoiledRun& run) { return run.spare == spare.index; });
      }
    }
    std::vector<SectorRange> ranges;
    ranges.reserve(examined.size());
    for (const ExaminedBlock& one : examined) ranges.push_back(one.block.range());
    // What the spare or main's cache lost is recorded also while main is away.
    auto quiesced = quiesce(path_, *remapper_, std::move(ranges), NeedsMain::no);
    if (quiesced) bind(*quiesced, settlement);
  }
  examined.clear();
}

}  // namespace dmremap::remap
