// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/task/range_scan.hpp"

#include <mutex>

#include "base/sector_parts.hpp"
#include "remap/task/slowness.hpp"

namespace dmremap::remap {

namespace {

using format::State;

// The most that one request asks for: a segment of the scan order.
constexpr SectorCount kLongestRead{2048};

// What of a range is unreadable, and what is on the spare.
struct RangeTally {
  SectorCount unreadable;
  SectorCount remapped;
};

RangeTally tally(const DataPath& path, SectorRange range) {
  RangeTally out;
  const table::Table table = path.live.table();
  for (const table::Piece& piece : table.pieces(range)) {
    const bool nowhere = table::place_of(piece.state) == table::Place::nowhere;
    if (nowhere) out.unreadable = out.unreadable + piece.main.count;
    if (piece.state == State::remapped) out.remapped = out.remapped + piece.main.count;
  }
  if (path.spares.failing.any(range)) {
    for (const FailingPlace& place : path.spares.failing.list()) {
      if (place.main.overlaps(range)) out.unreadable = out.unreadable + place.main.count;
    }
  }
  return out;
}

// Users write meanwhile, so there may be less than before.
SectorCount grown(SectorCount before, SectorCount now) {
  return now > before ? now - before : SectorCount{};
}

}  // namespace

RangeScan::RangeScan(DataPath& path, Remapper& remapper, Recovery& recovery)
    : path_(path),
      recovery_(recovery),
      mutex_(path.scheduling),
      suspects_(path, remapper, recovery),
      buffer_(kLongestRead.bytes()) {}

ScanReport RangeScan::scan(SectorRange range, const ContinueCheck& go_on) {
  const std::lock_guard lock(mutex_);
  ScanReport report;
  for (const SectorRange chunk : chunks_of(range, kLongestRead)) {
    const table::Table table = path_.live.table();
    for (const table::Stretch& stretch : table::stretches(table, chunk)) {
      if (scan_stretch(stretch, go_on, report)) continue;
      report.complete = false;
      return report;
    }
  }
  return report;
}

SectorCount RangeScan::measure_slow(SectorRange range, const ContinueCheck& go_on) {
  const std::lock_guard lock(mutex_);
  return suspects_.measure(range, go_on);
}

bool RangeScan::scan_stretch(const table::Stretch& stretch, const ContinueCheck& go_on,
                             ScanReport& report) {
  const SectorRange range = stretch.range;
  if (path_.known_unreadable(path_.live.table(), range)) {
    // Part of it may read well, and is asked unit by unit.
    if (stretch.place == table::Place::nowhere) return true;
    if (range.count > path_.unit()) {
      for (const SectorRange unit : blocks_in(range, path_.unit())) {
        table::Stretch part = stretch;
        part.range = unit;
        part.spare.sector = stretch.spare.sector + (unit.first - range.first);
        if (!scan_stretch(part, go_on, report)) return false;
      }
    }
    return true;
  }
  // Somebody is finding out what is wrong here: to ask the drive as well would cost it time.
  if (!go_on() || !path_.wait_unwatched(range, path_.deadline_from_now())) return false;
  const auto out = buffer_.span().first(range.count.bytes());
  const bool on_main = stretch.place == table::Place::main;
  if (on_main) ++report.main_reads;
  const std::uint64_t pauses = path_.clock.pauses();
  const std::uint64_t begun_ns = path_.clock.monotonic_ns();
  const io::IoStatus status =
      on_main ? path_.read_main(range.first, out) : path_.spares.read(stretch.spare, out);
  const std::uint64_t took_ns = path_.clock.monotonic_ns() - begun_ns;
  if (status.ok()) {
    // What a pause of the process lengthened says nothing of the drive.
    const bool took_long = took_ns >= kSlowReadNs && path_.clock.pauses() == pauses;
    if (on_main && took_long) report.long_reads.push_back(range);
    return true;
  }
  const io::Fault fault = on_main ? path_.diagnose_main(status.error)
                                  : path_.spares.at(stretch.spare.index).diagnose(status.error);
  if (fault != io::Fault::media) return false;
  if (on_main) report.trouble = true;
  return settle(range, go_on, report) && go_on();
}

bool RangeScan::settle(SectorRange range, const ContinueCheck& go_on, ScanReport& report) {
  const RangeTally before = tally(path_, range);
  const Recovery::Settled settled = recovery_.settle(
      range, buffer_.span().first(range.count.bytes()), Recovery::LossState::lost, go_on);
  recovery_.count_read_again(settled);
  const RangeTally now = tally(path_, range);
  report.lost = report.lost + grown(before.unreadable, now.unreadable);
  report.recovered = report.recovered + grown(before.remapped, now.remapped);
  // Something does not read, and the spare took no word of it.
  return settled.status.ok() || path_.known_unreadable(path_.live.table(), range);
}

}  // namespace dmremap::remap
