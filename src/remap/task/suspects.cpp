// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/task/suspects.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/sector_parts.hpp"
#include "remap/task/slowness.hpp"
#include "remap/writer/quiesced_range.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

namespace {

using format::State;

// So long a place is left alone before it is measured.
constexpr std::uint64_t kRestNs = 10'000'000'000;
constexpr std::size_t kMostPlaces = 64;
// No read is longer; what is, is a discard.
constexpr SectorCount kLongestPlace{65'536};
// If more last so long at once, the device as a whole is slow, and no place is to blame.
constexpr std::size_t kMostAtOnce = 8;
// Past this process, where nobody looks who could see a request twice.
constexpr std::uint64_t kLongPastNs = 500'000'000;
// Blocks on either side to compare with.
constexpr std::uint64_t kNeighbours = 4;
// "It took too long": the evidence that is kept of what is listed here.
constexpr int kCause = ETIME;

}  // namespace

Suspects::Suspects(DataPath& path, Remapper& remapper, Recovery& recovery)
    : path_(path), remapper_(remapper), recovery_(recovery), buffer_(path.block().bytes()) {}

void Suspects::look() {
  std::vector<table::Pins::InFlight> now = path_.live.pins().in_flight();
  std::vector<SectorRange> lasting;
  for (const table::Pins::InFlight& one : now) {
    if (std::ranges::find(last_look_, one) != last_look_.end()) lasting.push_back(one.range);
  }
  // Only what the last look showed too, of the same request, has lasted from one to the next.
  last_look_ = std::move(now);
  if (path_.direct != nullptr) {
    const auto past = path_.direct->take_slow(std::chrono::nanoseconds(kLongPastNs));
    lasting.insert(lasting.end(), past.begin(), past.end());
  }
  if (lasting.size() > kMostAtOnce) return;
  for (const SectorRange& range : lasting) note(range);
}

void Suspects::note(SectorRange range) {
  if (range.empty() || range.count > kLongestPlace || places_.size() >= kMostPlaces) return;
  const bool noted = std::ranges::any_of(
      places_, [range](const SlowPlace& place) { return place.range.overlaps(range); });
  if (!noted) places_.push_back({range, path_.clock.monotonic_ns()});
}

void Suspects::examine(const ContinueCheck& go_on) {
  if (places_.empty() || path_.clock.monotonic_ns() - places_.front().seen_ns < kRestNs) return;
  // One place a call, since each of its blocks may take as long as the drive tries.
  const SectorRange range = places_.front().range;
  places_.pop_front();
  (void)measure(range, go_on);
}

SectorCount Suspects::measure(SectorRange range, const ContinueCheck& go_on) {
  std::vector<std::pair<SectorRange, std::uint64_t>> long_ones;
  // Whole blocks: a part of one may be in the drive's cache while the rest is slow.
  const SectorRange disk{{0}, path_.geometry.size};
  const SectorRange whole = rounded_out(range, path_.block()).intersect(disk);
  for (const SectorRange block : blocks_in(whole, path_.block())) {
    if (!served_by_main(path_.live.table(), block)) continue;
    if (!go_on()) return {};
    const TimedRead read = read_timed(block);
    if (read.error != 0) {
      take_failed(block, read.error, go_on);
    } else if (read.ns >= kSlowReadNs) {
      // Only what takes long by itself is worth the time of its neighbours.
      long_ones.emplace_back(block, read.ns);
    }
  }
  std::vector<SectorRange> slow;
  for (const auto& [block, took_ns] : long_ones) {
    if (far_slower(took_ns, time_neighbours(block, go_on))) append_run(slow, block);
  }
  SectorCount listed;
  const table::Table before = path_.live.table();
  if (!mark(Item::Kind::mark_suspect, slow)) return listed;
  for (const SectorRange& run : slow) {
    for (const table::Piece& piece : before.pieces(run)) {
      if (piece.state == State::good) listed = listed + piece.main.count;
    }
  }
  return listed;
}

void Suspects::recheck(const ContinueCheck& go_on) {
  for (const format::Extent& extent : path_.live.table().extents()) {
    if (extent.state() == State::suspect && !recheck(extent.main(), go_on)) return;
  }
}

bool Suspects::recheck(SectorRange listed, const ContinueCheck& go_on) {
  std::vector<SectorRange> well;
  for (const SectorRange part : blocks_in(listed, path_.block())) {
    if (!go_on()) return false;
    const TimedRead read = read_timed(part);
    if (read.error != 0) {
      // It reads no more: the measurement ends, and recovery settles what is lost.
      take_failed(part, read.error, go_on);
    } else if (far_slower(read.ns, time_neighbours(part, go_on))) {
      move(part);
    } else {
      append_run(well, part);
    }
  }
  (void)mark(Item::Kind::clear_suspect, well);
  return true;
}

Suspects::TimedRead Suspects::read_timed(SectorRange range) {
  const std::uint64_t pauses = path_.clock.pauses();
  const std::uint64_t begun_ns = path_.clock.monotonic_ns();
  const io::IoStatus status =
      path_.read_main(range.first, buffer_.span().first(range.count.bytes()));
  const std::uint64_t took_ns = path_.clock.monotonic_ns() - begun_ns;
  // What a pause of the process lengthened says nothing of the drive.
  return {status.error, path_.clock.pauses() == pauses ? took_ns : 0};
}

// Whoever settles failed reads finds out what of it is lost.
void Suspects::take_failed(SectorRange range, int error, const ContinueCheck& go_on) {
  if (path_.diagnose_main(error) != io::Fault::media) return;
  const auto out = buffer_.span().first(range.count.bytes());
  (void)recovery_.settle(range, out, Recovery::LossState::lost, go_on);
}

std::vector<std::uint64_t> Suspects::time_neighbours(SectorRange range,
                                                     const ContinueCheck& go_on) {
  const std::uint64_t sectors = path_.block().value;
  const SectorRange here = rounded_out(range, path_.block());
  std::vector<Sector> around;
  for (std::uint64_t i = 1; i <= kNeighbours; ++i) {
    const SectorCount away{i * sectors};
    if (here.first.value >= away.value) around.push_back({here.first.value - away.value});
    around.push_back(here.end() + away - SectorCount{sectors});
  }
  std::vector<std::uint64_t> out;
  const SectorRange disk{{0}, path_.geometry.size};
  for (const Sector& first : around) {
    const SectorRange block{first, {sectors}};
    // A block that is itself listed or elsewhere is no measure of what is usual.
    if (!disk.contains(block) || path_.live.table().any(block)) continue;
    if (!go_on()) break;
    if (const TimedRead read = read_timed(block); read.error == 0) out.push_back(read.ns);
  }
  return out;
}

bool Suspects::served_by_main(const table::Table& table, SectorRange range) {
  const table::Stretch first = table::stretch_at(table, range.first, range.end());
  return first.place == table::Place::main && first.range == range;
}

// Under a hold, because nobody's data comes along.
bool Suspects::mark(Item::Kind kind, const std::vector<SectorRange>& ranges) {
  if (ranges.empty()) return true;
  auto quiesced = quiesce(path_, remapper_, ranges, NeedsMain::yes);
  if (!quiesced) return false;
  std::vector<Item> items;
  items.reserve(ranges.size());
  for (const SectorRange& range : ranges) items.push_back({kind, range, {}, kCause});
  return quiesced->bind(items) == Outcome::done;
}

// Read while it is watched and not held, since it is slow; nothing moves if a write came meanwhile.
void Suspects::move(SectorRange range) {
  // Slow as it is, it is read only once: the data that moves is what this read returns.
  const auto watched = WatchedRange::begin(path_, range, path_.deadline_from_now());
  if (!watched || !served_by_main(watched->table(), range)) return;
  if (read_timed(range).error != 0) return;
  auto quiesced = quiesce(path_, remapper_, {range}, NeedsMain::yes);
  if (!quiesced || !watched->is_undisturbed(*quiesced)) return;
  const Item item{Item::Kind::relocate, range, buffer_.span().first(range.count.bytes()), kCause};
  (void)quiesced->bind({&item, 1});
}

}  // namespace dmremap::remap
