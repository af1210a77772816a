// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/write_path.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/sector_parts.hpp"
#include "remap/request/narrow.hpp"
#include "remap/request/request_timer.hpp"

namespace dmremap::remap {

namespace {

constexpr io::IoStatus kReadOnly{EROFS};

// Zeroing and discarding gigabytes may take a healthy disk longer than a request's deadline, which
// is that of each step.
constexpr SectorCount kStep = SectorCount::from_bytes(64 * kMiB);
SectorParts steps_of(SectorRange range) {
  return blocks_in(range, kStep);
}

io::IoStatus status_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::done:
      return io::kIoOk;
    case Outcome::spare_full:
    case Outcome::spare_no_space:
    case Outcome::table_full:
      return {ENOSPC};
    case Outcome::read_only:
      return kReadOnly;
    case Outcome::tripped:
      return {ENODEV};
    case Outcome::spare_refuses:
    case Outcome::failed:
      break;
  }
  return {EIO};
}

}  // namespace

io::IoStatus WritePath::write(Sector first, std::span<const std::byte> data, bool fua,
                              RequestTimer* timer) {
  const std::uint64_t deadline_ns = path_.deadline_of_request();
  const SectorRange range{first, SectorCount::from_bytes(data.size())};
  // The clean write: one bit test under a pin, then main. All else is out of its way.
  if (!fua) [[likely]] {
    if (!path_.writable()) return kReadOnly;
    table::Pins::Pin pin = path_.live.pin(range);
    if (path_.live.clean(range)) [[likely]] {
      pin.count_write();
      const io::IoStatus status = path_.write_main(first, data);
      if (status.ok()) [[likely]]
        return status;
      return take_failed(std::move(pin), range, data, status.error, deadline_ns, timer);
    }
    return write_among_bad(pin, range, data, deadline_ns, timer);
  }
  return write_anywhere(range, data, fua, deadline_ns, timer);
}

io::IoStatus WritePath::write_among_bad(table::Pins::Pin& pin, SectorRange range,
                                        std::span<const std::byte> data, std::uint64_t deadline_ns,
                                        RequestTimer* timer) {
  const table::Snapshot& now = path_.live.snapshot();
  const table::Stretch first = table::stretch_at(now.table, range.first, range.end());
  // Mostly all of it is on main all the same, and one look at the table is enough.
  if (now.held(range) || now.is_in_reach(range) || first.place != table::Place::main ||
      first.range != range) {
    pin.release();
    return write_anywhere(range, data, false, deadline_ns, timer);
  }
  pin.count_write();
  now.note_write(range);
  const io::IoStatus status = path_.write_main(range.first, data);
  if (status.ok()) [[likely]]
    return status;
  return take_failed(std::move(pin), range, data, status.error, deadline_ns, timer);
}

io::IoStatus WritePath::take_failed(table::Pins::Pin pin, SectorRange range,
                                    std::span<const std::byte> data, int error,
                                    std::uint64_t deadline_of_request, RequestTimer* timer) {
  const std::uint64_t deadline_ns = path_.true_deadline(deadline_of_request);
  // The deadline tells when the request began: the first attempt was not timed, for the sake of
  // those that succeed.
  const std::uint64_t begun_ns = deadline_ns - path_.request_deadline_ns;
  Remainder remainder;
  remainder.timer = timer;
  const io::IoStatus status = narrow_main(
      range, data, error, {deadline_ns, path_.clock.monotonic_ns() - begun_ns}, remainder);
  return status.ok() ? take_remainder(std::move(pin), remainder, deadline_ns) : status;
}

std::optional<table::Pins::Pin> WritePath::pin_unheld(SectorRange range) {
  for (;;) {
    if (!path_.writable()) return std::nullopt;
    table::Pins::Pin pin = path_.live.pin(range);
    if (path_.live.clean(range) || !path_.live.snapshot().held(range)) return pin;
    // The holder drains what is pinned: waiting with the pin would be waiting for each other.
    pin.release();
    path_.live.wait_unheld(range);
  }
}

void WritePath::announce_write(table::Pins::Pin& pin, SectorRange range) const {
  pin.count_write();
  path_.live.snapshot().note_write(range);
}

io::IoStatus WritePath::write_anywhere(SectorRange range, std::span<const std::byte> data, bool fua,
                                       std::uint64_t deadline_of_request, RequestTimer* timer) {
  const std::uint64_t deadline_ns = path_.true_deadline(deadline_of_request);
  // Before the first byte is written, so that a FUA hears of any flush that failed since.
  const FlushGate::Mark main_mark = path_.main_gate.mark();
  const SparePool::Marks spare_marks = fua ? path_.spares.marks() : SparePool::Marks{};
  auto pin = pin_unheld(range);
  if (!pin) return kReadOnly;
  const table::Snapshot& now = path_.live.snapshot();
  // It may have been given up while it waited. In this order: what it sees now is not the place to
  // which a later write has moved.
  if (RequestTimer::expired(timer)) return {ETIMEDOUT};
  announce_write(*pin, range);
  Remainder remainder;
  remainder.timer = timer;
  io::IoStatus status;
  for (const table::Stretch& stretch : table::stretches(now.table, range)) {
    const auto part = part_of(data, range, stretch.range);
    status = now.is_in_reach(stretch.range)
                 ? write_beside_overdue(now, stretch.range, part, deadline_ns, remainder)
                 : write_stretch(stretch, part, deadline_ns, remainder);
    if (!status.ok()) break;
  }
  if (remainder.spare_touched) path_.remapped_writes.fetch_add(1, std::memory_order_relaxed);
  // Still pinned: whoever holds the range afterwards finds what the remapper bound.
  if (status.ok()) status = take_remainder(std::move(*pin), remainder, deadline_ns);
  return status.ok() && fua ? flush_touched(remainder, main_mark, spare_marks) : status;
}

io::IoStatus WritePath::take_remainder(table::Pins::Pin pin, Remainder& remainder,
                                       std::uint64_t deadline_ns) {
  if (remainder.items.empty()) return io::kIoOk;
  Outcome outcome;
  if (path_.main_write_refusal.load() != 0) [[unlikely]] {
    // Holds more than the request's range, and a hold waits for pins.
    pin.release();
    outcome = copy_and_store(remainder, deadline_ns);
  } else {
    outcome = remapper_->run(remainder.items, deadline_ns, remainder.timer);
    // Healing takes a hold of its own.
    pin.release();
  }
  const bool help = main_may_help(outcome);
  remainder.main_touched = remainder.main_touched || help;
  remainder.spare_touched = true;  // the remapper may have found a sector there already
  return help ? heal(remainder.items, status_of(outcome), deadline_ns) : status_of(outcome);
}

Outcome WritePath::copy_and_store(const Remainder& remainder, std::uint64_t deadline_ns) {
  const std::span<const Item> items = remainder.items;
  const auto copied = copy_on_write_->store(items, deadline_ns, remainder.timer);
  if (copied) return *copied;
  // Promise 4: a drive that does not answer a request beside it is no reason to fail this one.
  const SectorRange range{items.front().range.first,
                          items.back().range.end() - items.front().range.first};
  auto pin = pin_unheld(range);
  if (!pin) return Outcome::read_only;
  announce_write(*pin, range);
  return remapper_->run(items, deadline_ns, remainder.timer);
}

// In place the overdue write could follow this one, on whatever device it is under way to.
io::IoStatus WritePath::write_beside_overdue(const table::Snapshot& now, SectorRange range,
                                             std::span<const std::byte> data,
                                             std::uint64_t deadline_ns, Remainder& remainder) {
  std::vector<SectorRange> overdue;
  std::vector<SectorRange> beside;
  for (const SectorRange unit : blocks_in(range, path_.unit())) {
    append_run(now.is_in_reach(unit) ? overdue : beside, unit);
  }
  for (const SectorRange& part : overdue) {
    remainder.items.push_back({Item::Kind::store, part, part_of(data, range, part), ETIMEDOUT});
  }
  for (const SectorRange& part : beside) {
    const io::IoStatus status = write_stretch(table::stretch_at(now.table, part.first, part.end()),
                                              part_of(data, range, part), deadline_ns, remainder);
    if (!status.ok()) return status;
  }
  return io::kIoOk;
}

io::IoStatus WritePath::write_stretch(const table::Stretch& stretch,
                                      std::span<const std::byte> data, std::uint64_t deadline_ns,
                                      Remainder& remainder) {
  switch (stretch.place) {
    case table::Place::main:
      return write_main(stretch.range, data, deadline_ns, remainder);
    case table::Place::spare: {
      remainder.spare_touched = true;
      if (path_.spares.failing.any(stretch.range)) {
        // What was written there could not be read: what comes now goes to another place.
        remainder.items.push_back({Item::Kind::store, stretch.range, data, EIO});
        return io::kIoOk;
      }
      const io::IoStatus status = path_.spares.write(stretch.spare, data);
      if (status.ok()) return status;
      // A spare image without room below may have room elsewhere, and main may take it back.
      const io::Fault fault = path_.spares.at(stretch.spare.index).diagnose(status.error);
      if (fault != io::Fault::no_space && fault != io::Fault::media) return status;
      remainder.items.push_back({Item::Kind::store, stretch.range, data, status.error});
      return io::kIoOk;
    }
    // There is no version to go on with: the data that came is the sector from now on.
    case table::Place::nowhere:
      remainder.items.push_back({Item::Kind::store, stretch.range, data, 0});
      break;
  }
  return io::kIoOk;
}

io::IoStatus WritePath::write_main(SectorRange range, std::span<const std::byte> data,
                                   std::uint64_t deadline_ns, Remainder& remainder) {
  remainder.main_touched = true;
  const std::uint64_t begun_ns = path_.clock.monotonic_ns();
  const io::IoStatus status = path_.write_main(range.first, data);
  if (status.ok()) return status;
  const std::uint64_t took_ns = path_.clock.monotonic_ns() - begun_ns;
  return narrow_main(range, data, status.error, {deadline_ns, took_ns}, remainder);
}

io::IoStatus WritePath::narrow_main(SectorRange range, std::span<const std::byte> data, int error,
                                    DeadlineBudget budget, Remainder& remainder) {
  if (path_.diagnose_main(error) != io::Fault::media) return {error};
  // Only the units that main refuses move (promise 5).
  Narrowing narrowing(range, path_.block(), path_.unit());
  bool asked_since = true;
  // The next failure may take as long as the slowest so far: none is begun that might end too late.
  std::uint64_t now_ns = path_.clock.monotonic_ns();
  while (now_ns + budget.slowest_ns < budget.deadline_ns) {
    if (RequestTimer::expired(remainder.timer)) return {ETIMEDOUT};
    const auto part = narrowing.next();
    if (!part) break;
    const io::IoStatus status = path_.write_main(part->first, part_of(data, range, *part));
    narrowing.report(status.ok());
    const std::uint64_t begun_ns = std::exchange(now_ns, path_.clock.monotonic_ns());
    budget.slowest_ns = std::max(budget.slowest_ns, now_ns - begun_ns);
    if (status.ok()) continue;
    error = status.error;
    asked_since = false;
    if (!io::may_be_the_sector(io::classify(error))) break;
  }
  // The device may have gone while its parts were tried: then their failures mean nothing.
  if (!asked_since && path_.diagnose_main(error) != io::Fault::media) return {error};
  // Out of time: what was not tried goes to the spare like what failed.
  std::vector<SectorRange> bad = narrowing.failing();
  for (const SectorRange& untried : narrowing.untried()) append_run(bad, untried);
  for (const SectorRange& part : bad) {
    remainder.items.push_back({Item::Kind::store, part, part_of(data, range, part), error});
  }
  return io::kIoOk;
}

// The last resort when the spare or the table cannot take it: main may take the data, and if it
// reads back the same after a flush, the sector is good again. `refusal`: what the request gets
// where main has just refused it, too.
io::IoStatus WritePath::heal(std::span<const Item> items, io::IoStatus refusal,
                             std::uint64_t deadline_ns) {
  // All parts are held as one: held one by one, two such writes could wait for each other.
  std::vector<SectorRange> ranges;
  for (const Item& item : items) ranges.push_back(item.range);
  // The spare may have the data in the end, without main.
  auto quiesced = quiesce(path_, *remapper_, std::move(ranges), NeedsMain::no, deadline_ns);
  if (!quiesced) return refusal;
  io::IoStatus status;
  for (const Item& item : items) {
    path_.live.note_write(item.range);
    status = heal(*quiesced, item, refusal);
    if (!status.ok()) break;
  }
  // No pin told of it while it wrote: whoever counted the writes meanwhile has to notice.
  path_.live.pin(items.front().range).count_write();
  return status;
}

io::IoStatus WritePath::heal(QuiescedRange& quiesced, const Item& item, io::IoStatus refusal) {
  std::vector<Item> healed;
  for (const table::Stretch& stretch : table::stretches(quiesced.table(), item.range)) {
    const auto data = part_of(item.data, item.range, stretch.range);
    const bool on_spare = stretch.place == table::Place::spare;
    // Its place on the spare may take the data by now.
    if (on_spare && path_.spares.write(stretch.spare, data).ok()) continue;
    // Main has just refused it; asking again helps no one.
    if (stretch.place == table::Place::main && item.cause != 0) return refusal;
    // A crash from here to the commit leaves the former state: the write was not acknowledged, and
    // an error or the older data is right. After the commit main holds it, durable.
    const io::IoStatus status = write_and_verify(stretch.range.first, data);
    if (!status.ok()) return status;
    healed.push_back({Item::Kind::heal, stretch.range, {}, item.cause});
  }
  return status_of(quiesced.bind(healed));
}

io::IoStatus WritePath::write_and_verify(Sector first, std::span<const std::byte> data) {
  const FlushGate::Mark mark = path_.main_gate.mark();
  // A sector that took a write and does not read it back would be a loss that nobody was told of.
  AlignedBuffer back(data.size());
  io::IoStatus status = path_.write_held_main(first, data);
  if (status.ok()) {
    status = path_.main_gate.flush_since(mark, [this] { return path_.flush_main_device(); });
  }
  if (status.ok()) status = path_.read_main(first, back.span());
  if (!status.ok()) {
    (void)path_.diagnose_main(status.error);
    return status;
  }
  return std::ranges::equal(back.span(), data) ? io::kIoOk : io::IoStatus{EIO};
}

io::IoStatus WritePath::flush_touched(const Remainder& remainder, FlushGate::Mark main_mark,
                                      const SparePool::Marks& spare_marks) {
  io::IoStatus status;
  // Main before the spare; either failure fails the request.
  if (remainder.main_touched) {
    status = path_.main_gate.flush_since(main_mark, [this] { return path_.flush_main_device(); });
    if (!status.ok()) (void)path_.diagnose_main(status.error);
  }
  if (status.ok() && remainder.spare_touched) {
    status = path_.spares.flush_since(spare_marks);
  }
  return status;
}

io::IoStatus WritePath::zero_stretch(const table::Stretch& stretch, bool& by_hand) {
  // A sector on the spare, or one that main refuses, gets its zeros by an ordinary write.
  if (stretch.place == table::Place::main) {
    const io::IoStatus status = path_.zero_main(stretch.range);
    if (status.ok()) return status;
    const bool real = io::may_be_the_sector(io::classify(status.error));
    if (!real && path_.diagnose_main(status.error) != io::Fault::media) return status;
  }
  by_hand = true;
  return io::kIoOk;
}

io::IoStatus WritePath::write_zeroes(SectorRange range, RequestTimer* timer) {
  std::vector<SectorRange> by_hand;
  {
    auto pin = pin_unheld(range);
    if (!pin) return kReadOnly;
    const table::Snapshot& now = path_.live.snapshot();
    const table::Table& table = now.table;
    // The kernel then writes zeros instead, and those heal exactly what they cover.
    if (table::any_nowhere(table, range)) return {EOPNOTSUPP};
    announce_write(*pin, range);
    for (const table::Stretch& stretch : table::stretches(table, range)) {
      for (const SectorRange step : steps_of(stretch.range)) {
        // Asked after `now` was taken, and before each step: as for a write.
        if (!RequestTimer::renew(timer)) return {ETIMEDOUT};
        bool failed = now.is_in_reach(step);
        const io::IoStatus status =
            failed ? io::kIoOk : zero_stretch({step, stretch.place, {}}, failed);
        if (!status.ok()) return status;
        if (failed) append_run(by_hand, step);
      }
    }
  }
  // As writes of zeros, each with its own pin.
  const auto zeroes = path_.zeroes.span();
  for (const SectorRange& run : by_hand) {
    for (const SectorRange part : chunks_of(run, SectorCount::from_bytes(zeroes.size()))) {
      if (!RequestTimer::renew(timer)) return {ETIMEDOUT};
      const io::IoStatus status = write(part.first, zeroes.first(part.count.bytes()), false, timer);
      if (!status.ok()) return status;
    }
  }
  return io::kIoOk;
}

io::IoStatus WritePath::discard(SectorRange range, RequestTimer* timer) {
  auto pin = pin_unheld(range);
  if (!pin) return kReadOnly;
  announce_write(*pin, range);
  io::IoStatus status;
  const table::Snapshot& now = path_.live.snapshot();
  for (const table::Stretch& stretch : table::stretches(now.table, range)) {
    // A discard never changes the state of a lost, gone or remapped sector, and need not be done.
    if (stretch.place != table::Place::main) continue;
    for (const SectorRange step : steps_of(stretch.range)) {
      if (!RequestTimer::renew(timer)) return {ETIMEDOUT};
      if (!now.is_in_reach(step)) status = path_.discard_main(step);
      if (!status.ok()) break;
    }
    if (!status.ok()) break;
  }
  // A refused discard loses nothing. Only what says that main is gone is followed up.
  if (!status.ok() && io::classify(status.error) == io::Fault::device)
    (void)path_.diagnose_main(status.error);
  return status;
}

}  // namespace dmremap::remap
