// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/flush_path.hpp"

#include <vector>

#include "remap/route.hpp"

namespace dmremap::remap {

FlushPath::FlushPath(DataPath& path, Recovery& recovery)
    : path_(path), recovery_(recovery), covered_(path.geometry.size) {}

namespace {

// The later one stays: two flushes of one user may end in any order.
void hear(std::atomic<std::uint64_t>& heard, FlushGate::Mark failures) {
  std::uint64_t known = heard.load();
  while (known < failures && !heard.compare_exchange_weak(known, failures)) {
  }
}

}  // namespace

io::IoStatus FlushPath::flush() {
  // Read before waiting: two users that call at once are both told of a failure meanwhile.
  const Outcome done = flush_both(path_.main_gate.reported(), path_.spare_gate.reported());
  return done.main.status.ok() ? done.spare.status : done.main.status;
}

io::IoStatus FlushPath::flush_for(FlushHeard& heard) {
  const Outcome done = flush_both(heard.main.load(), heard.spare.load());
  if (!done.main.status.ok()) hear(heard.main, done.main.failures);
  if (!done.spare.status.ok()) hear(heard.spare, done.spare.failures);
  return done.main.status.ok() ? done.spare.status : done.main.status;
}

FlushPath::Outcome FlushPath::flush_both(FlushGate::Mark main, FlushGate::Mark spare) {
  path_.flushes.fetch_add(1, std::memory_order_relaxed);
  Outcome done;
  // Both, whatever becomes of the first.
  done.main = flush_main(main);
  done.spare =
      path_.spare_gate.user_flush(spare, true, [this] { return path_.flush_spare_device(); });
  // Last of all: nobody else may hear that all is well before this caller has heard that it is not.
  if (!done.main.status.ok()) path_.main_gate.told(done.main.failures);
  if (!done.spare.status.ok()) path_.spare_gate.told(done.spare.failures);
  return done;
}

FlushGate::UserFlush FlushPath::flush_main(FlushGate::Mark heard) {
  std::vector<std::uint64_t> doubtful;
  const FlushGate::UserFlush flush =
      path_.main_gate.user_flush(heard, false, [&]() -> io::IoStatus {
        // The gate lets one flush through at a time.
        path_.dirty.move_to(covered_);
        const io::IoStatus flushed = path_.flush_main_device();
        if (!flushed.ok() || path_.main_gate.failed_untold()) {
          covered_.for_each([&doubtful](std::uint64_t region) { doubtful.push_back(region); });
        }
        covered_.clear();
        return flushed;
      });
  const int error = flush.status.error;
  if (error == 0) return flush;
  if (path_.find_main(error) != Finding::media) {
    // Nothing can be read back now. It is when main is here again: a flush fails then, too.
    for (const std::uint64_t region : doubtful) path_.dirty.add(range_of_region(region));
  } else if (!doubtful.empty()) {
    path_.emit(format::EventKind::gone, Severity::error, {}, error, "flush of main failed");
    AlignedBuffer buffer(kRegionSectors.bytes());
    for (const std::uint64_t region : doubtful) read_back(region, buffer.span());
  }
  return flush;
}

void FlushPath::read_back(std::uint64_t region, std::span<std::byte> buffer) {
  const std::uint64_t deadline_ns = path_.deadline_from_now();
  const SectorRange range = range_of_region(region).intersect({Sector{}, path_.geometry.size});
  std::vector<SectorRange> unread;
  {
    const Pins::Pin pin = path_.live.pin(range);
    for_each_stretch(path_.live.snapshot().table, range, [&](const Stretch& stretch) {
      if (stretch.place != Place::main) return true;
      const auto out = part_of(buffer, range, stretch.range);
      if (!path_.read_main(stretch.range.first, out).ok()) unread.push_back(stretch.range);
      return true;
    });
  }
  for (const SectorRange& part : unread) {
    if (path_.breaker.tripped()) return;
    (void)recovery_.settle(part, part_of(buffer, range, part), Recovery::Verdict::gone,
                           [&] { return path_.clock.monotonic_ns() < deadline_ns; });
  }
}

}  // namespace dmremap::remap
