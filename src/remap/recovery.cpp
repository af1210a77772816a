// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/recovery.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "remap/narrow.hpp"
#include "remap/route.hpp"

namespace dmremap::remap {

std::vector<SectorRange> unreadable_blocks(DataPath& path, SectorRange range,
                                           std::span<std::byte> out, std::uint64_t deadline_ns,
                                           int& error) {
  Narrowing narrowing(range, path.block(), path.block());
  while (path.clock.monotonic_ns() < deadline_ns && !path.breaker.tripped()) {
    const auto part = narrowing.next();
    if (!part) break;
    const io::IoStatus status = path.read_main(part->first, part_of(out, range, *part));
    narrowing.report(status.ok());
    if (status.ok()) continue;
    error = status.error;
    // Not there any more: the loop ends by the breaker.
    if (judge(error) == Judgement::trip) (void)path.find_main(error);
  }
  std::vector<SectorRange> out_ranges = narrowing.failing();
  for (const SectorRange& untried : narrowing.untried()) append_run(out_ranges, untried);
  return out_ranges;
}

// One settling in progress.
struct Recovery::Attempt {
  std::uint64_t deadline_ns = 0;
  std::vector<Item> read;     // relocate: data in the caller's buffer
  std::vector<Item> bad;      // mark_lost: main could not read them
  std::vector<Item> spoiled;  // mark_gone: the spare could not
  int last_main_error = 0;    // of a bad one
  int last_spare_error = 0;
  int error = 0;      // of the whole: 0 so far
  bool stop = false;  // the device is not there, or the request is refused: conclude nothing
};

namespace {

void append_item(std::vector<Item>& items, Item::Kind kind, SectorRange range, int cause,
                 std::span<const std::byte> data = {}) {
  if (!items.empty() && items.back().range.end() == range.first) {
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

void Recovery::read_unit(const Unread& part, SectorRange unit, Place place, Sector spare,
                         Attempt& attempt) {
  const auto out = part_of(part.out, part.range, unit);
  const bool on_main = place == Place::main;
  const unsigned tries = std::max(1U, on_main ? path_.policy.read_retries : 2U);
  for (unsigned i = 0; i < tries; ++i) {
    const io::IoStatus status =
        on_main ? path_.read_main(unit.first, out) : path_.read_spare(spare, out);
    if (status.ok()) {
      if (on_main) append_item(attempt.read, Item::Kind::relocate, unit, EIO, out);
      return;
    }
    attempt.error = status.error;
    const Judgement judgement = judge(status.error);
    if (judgement == Judgement::trip || judgement == Judgement::refuse) {
      if (on_main) (void)path_.find_main(status.error);
      attempt.stop = true;
      return;
    }
  }
  if (on_main) {
    attempt.last_main_error = attempt.error;
    append_item(attempt.bad, Item::Kind::mark_lost, unit, attempt.error);
  } else {
    attempt.last_spare_error = attempt.error;
    append_item(attempt.spoiled, Item::Kind::mark_gone, unit, attempt.error);
  }
}

void Recovery::read_again(const Unread& part, const Table& table, Attempt& attempt) {
  for_each_stretch(table, part.range, [&](const Stretch& stretch) {
    if (stretch.place == Place::nowhere) {
      attempt.error = EIO;
      return true;
    }
    for (Sector at = stretch.range.first; at < stretch.range.end(); at = at + path_.unit()) {
      // Out of time: an error, but nothing is known of what was not tried.
      if (path_.clock.monotonic_ns() >= attempt.deadline_ns) {
        attempt.error = ETIMEDOUT;
        return false;
      }
      read_unit(part, {at, path_.unit()}, stretch.place, stretch.spare + (at - stretch.range.first),
                attempt);
      if (attempt.stop) return false;
    }
    return true;
  });
}

io::IoStatus Recovery::record(const Attempt& attempt, Verdict verdict) {
  std::vector<Item> marks;
  if (!attempt.bad.empty() && path_.find_main(attempt.last_main_error) == Finding::media) {
    marks = attempt.bad;
    if (verdict == Verdict::gone) {
      for (Item& item : marks) item.kind = Item::Kind::mark_gone;
    }
  }
  if (!attempt.spoiled.empty() && path_.find_spare(attempt.last_spare_error) == Finding::media) {
    marks.insert(marks.end(), attempt.spoiled.begin(), attempt.spoiled.end());
  }
  // Two jobs: a spare without room must not keep a loss from being recorded. Whatever becomes of
  // them, the data that was read is right and the rest is an error.
  if (!marks.empty()) (void)remapper_->run(marks);
  if (!attempt.read.empty() && verdict == Verdict::lost) (void)remapper_->run(attempt.read);
  return {attempt.error};
}

io::IoStatus Recovery::settle(std::span<const Unread> parts, Verdict verdict,
                              std::uint64_t deadline_ns) {
  Attempt attempt;
  attempt.deadline_ns = deadline_ns;
  const bool recording = remapper_ != nullptr && path_.writable();
  std::vector<SectorRange> ranges;
  for (const Unread& part : parts) ranges.push_back(part.range);
  if (!recording) {
    for (const Unread& part : parts) {
      if (!attempt.stop) read_again(part, path_.live.table(), attempt);
    }
    return {attempt.error};
  }
  const LiveTable::Hold hold = path_.live.hold(std::move(ranges));
  if (!path_.live.drain(hold, path_.clock, deadline_ns)) return {ETIMEDOUT};
  const Table table = path_.live.table();
  for (const Unread& part : parts) {
    if (!attempt.stop) read_again(part, table, attempt);
  }
  return record(attempt, verdict);
}

}  // namespace dmremap::remap
