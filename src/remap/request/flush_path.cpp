// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/flush_path.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "remap/request/request_timer.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

io::IoStatus FlushPath::flush() {
  // Read before waiting: two users that call at once are both told of a failure meanwhile.
  FlushHeard shared;
  begin_hearing(shared);
  return flush_for(shared, nullptr);
}

void FlushPath::begin_hearing(FlushHeard& heard) const {
  heard.main.store(path_.main_gate.reported());
  for (const SpareDevice& spare : path_.spares) {
    heard.spares.at(position_of(spare.index)).store(spare.gate.reported());
  }
}

io::IoStatus FlushPath::flush_for(FlushHeard& heard, RequestTimer* timer) {
  path_.flushes.fetch_add(1, std::memory_order_relaxed);
  SparePool::Marks spares_heard{};
  std::ranges::transform(heard.spares, spares_heard.begin(),
                         [](const auto& failures) { return failures.load(); });
  // Every device, whatever becomes of those before it.
  const FlushGate::UserFlush main = flush_main(heard.main.load());
  std::array<FlushGate::UserFlush, kMostSpares> flushes;
  for (SpareDevice& spare : path_.spares) {
    const std::size_t i = position_of(spare.index);
    flushes.at(i) = spare.flush_for_user(spares_heard.at(i));
  }
  // Who was told at the deadline that it failed knows nothing of what it came to, and what was
  // written since may be lost with it: the next flush says so. `heard` may be no more, too.
  if (!RequestTimer::claim(timer)) return {ETIMEDOUT};
  // Last of all: nobody else may hear that all is well before this caller has heard that it is not.
  io::IoStatus status = main.status;
  if (!main.status.ok()) path_.main_gate.told(main.failures, heard.main);
  for (SpareDevice& spare : path_.spares) {
    const std::size_t i = position_of(spare.index);
    const FlushGate::UserFlush& flush = flushes.at(i);
    if (!flush.status.ok()) spare.gate.told(flush.failures, heard.spares.at(i));
    if (status.ok()) status = flush.status;
  }
  return status;
}

FlushGate::UserFlush FlushPath::flush_main(FlushGate::Mark heard) {
  std::vector<std::uint64_t> doubtful;
  bool past_is_doubtful = false;
  const FlushGate::UserFlush flush = path_.main_gate.user_flush(heard, false, [&] {
    // The gate lets one flush through at a time.
    path_.evidence.begin_flush();
    const io::IoStatus flushed = path_.flush_main_device();
    past_is_doubtful = end_flush(flushed, doubtful);
    return flushed;
  });
  // Outside the gate: reading back may take minutes, and other flushes need not wait for it.
  const bool past_is_known =
      !past_is_doubtful || path_.direct == nullptr || add_unflushed(doubtful);
  if (doubtful.empty() && past_is_known) return flush;
  const std::uint64_t gone_before = path_.live.table().counts().gone;
  AlignedBuffer buffer(table::kRegionSectors.bytes());
  for (const std::uint64_t region : doubtful) read_back(region, buffer.span());
  if (past_is_doubtful && path_.direct != nullptr && past_is_known) {
    path_.direct->settle_unflushed();
  }
  const std::uint64_t gone = path_.live.table().counts().gone - gone_before;
  if (gone > 0) {
    // Which they are each has told by an event of its own.
    path_.emit(format::EventKind::gone, Severity::error, {}, flush.status.error,
               fmt::format("flush of main failed: {} gone", gone));
  }
  return flush;
}

// Decides under the gate what becomes of the regions that the flush covered, so that nobody ever
// sees them in neither set: a re-arm that does would not know that something can be lost.
bool FlushPath::end_flush(io::IoStatus flushed, std::vector<std::uint64_t>& doubtful) {
  const bool told_of_all = !path_.main_gate.failed_untold();
  if (flushed.ok()) path_.main_flushed.store(true);
  if (flushed.ok() && told_of_all) {
    path_.evidence.end_flush();
    return false;
  }
  // Nothing can be read back from a device that is not there. It is when main is here again: a
  // flush fails then, too.
  if (!flushed.ok() && path_.diagnose_main(flushed.error) == io::Fault::device) {
    path_.evidence.cancel_flush();
    return false;
  }
  if (!flushed.ok()) path_.trouble.flush_errors.fetch_add(1);
  path_.unflushed.covered().for_each(
      [&doubtful](std::uint64_t region) { doubtful.push_back(region); });
  flushed.ok() ? path_.evidence.end_flush() : path_.evidence.abandon_flush();
  return true;
}

// What went to main past this process and is not durable is as doubtful as what went through it. If
// nobody can tell what that is, the next flush fails as well, and asks again.
bool FlushPath::add_unflushed(std::vector<std::uint64_t>& doubtful) {
  const auto past = path_.direct->unflushed(path_.clock, path_.deadline_from_now());
  if (!past) {
    path_.main_gate.fail(EIO);
    return false;
  }
  for (const SectorRange& range : *past) {
    const std::uint64_t last = table::region_of(range.end() - SectorCount{1});
    for (std::uint64_t region = table::region_of(range.first); region <= last; ++region) {
      doubtful.push_back(region);
    }
  }
  std::ranges::sort(doubtful);
  doubtful.erase(std::unique(doubtful.begin(), doubtful.end()), doubtful.end());
  return true;
}

void FlushPath::read_back(std::uint64_t region, std::span<std::byte> buffer) {
  const std::uint64_t deadline_ns = path_.deadline_from_now();
  const SectorRange range =
      table::range_of_region(region).intersect({Sector{}, path_.geometry.size});
  std::vector<SectorRange> unread;
  {
    const table::Pins::Pin pin = path_.live.pin(range);
    for (const table::Stretch& stretch : table::stretches(path_.live.snapshot().table, range)) {
      if (stretch.place != table::Place::main) continue;
      const auto out = part_of(buffer, range, stretch.range);
      if (!path_.read_main(stretch.range.first, out).ok()) unread.push_back(stretch.range);
    }
  }
  for (const SectorRange& part : unread) {
    if (path_.breaker.tripped()) return;
    (void)recovery_.settle(part, part_of(buffer, range, part), Recovery::LossState::gone,
                           [&] { return path_.clock.monotonic_ns() < deadline_ns; });
  }
}

}  // namespace dmremap::remap
