// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/data_path.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

namespace {

constexpr std::size_t kZeroBytes = 256 * kKiB;

void count(std::atomic<std::uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

// A set's metadata names one spare so far.
std::vector<SpareParts> spare_parts(const EngineParts& parts, const format::Content& content,
                                    std::vector<table::Allocator> allocators) {
  DMREMAP_ASSERT(allocators.size() == parts.spares.size());
  std::vector<SpareParts> out;
  for (std::size_t i = 0; i < parts.spares.size(); ++i) {
    out.push_back({parts.spares[i], content.identity.spare.size, std::move(allocators[i])});
  }
  return out;
}

}  // namespace

DataPath::DataPath(const EngineParts& parts, const format::Content& content,
                   const table::Table& table, std::vector<table::Allocator> allocators)
    : geometry(parts.main->geometry()),
      policy(content.configuration),
      request_deadline_ns(std::uint64_t{policy.request_deadline_ms} * 1'000'000U),
      table_capacity(metadata::table_capacity(content)),
      main_opened_read_only(parts.main_read_only),
      raw_clock(*parts.clock),
      clock(*parts.clock, *parts.scheduling, parts.watch_pauses),
      scheduling(*parts.scheduling),
      observer(parts.observer),
      recheck_rounds(parts.recheck_rounds),
      direct(parts.direct),
      own_memory_(parts.memory.empty() ? EngineMemory::bytes_for(geometry.size) : 1),
      memory_(EngineMemory::of(parts.memory.empty() ? own_memory_.span() : parts.memory,
                               geometry.size)),
      live(geometry.size, table, scheduling, memory_.pins),
      main_gate(scheduling),
      unflushed(geometry.size, memory_.unflushed),
      // A read-only set never asks main to flush: what main shows has to do.
      evidence(geometry.size, live.pins(), unflushed, memory_.evidence, parts.evidence,
               parts.store == nullptr || parts.main_settled, scheduling),
      latencies(raw_clock, scheduling),
      spares(spare_parts(parts, content, std::move(allocators)),
             std::max(1U, policy.lost_recheck_s) * std::uint64_t{1'000'000'000}, scheduling),
      zeroes(kZeroBytes),
      main_write_refusal(parts.main_read_only ? EROFS : 0),
      main_(parts.main),
      direct_main_(parts.main),
      movable_(dynamic_cast<MovableDirectPath*>(parts.direct)),
      main_probe_(
          *parts.main, spread(geometry.size, geometry.unit(), policy.probe_units),
          [&table](SectorRange unit) { return !table.any(unit); }, scheduling),
      read_only_(parts.store == nullptr) {
  live.add(spares.failing);
  for (const table::PinSource* source : parts.pin_sources) live.add(*source);
  for (table::TableSubscriber* subscriber : parts.subscribers) live.add(*subscriber);
  if (direct != nullptr) {
    live.add(*direct);
    // An entry holds as long as this process sees every write of its block.
    for (const BlockHash& known : parts.evidence) direct->keep(known.block);
  }
  for (SpareDevice& spare : spares) spare.keep_doubts_in(unflushed);
  if (parts.left) take_over(*parts.left);
}

// A kill before the memory of this engine has its name leaves that of the killed one, which says
// the same; so all of it is entered before anything is served.
void DataPath::take_over(const UnflushedLeft& left) {
  for (const SectorRange& range : left.regions) unflushed.add(range);
  if (left.main_flush_in_doubt) {
    unflushed.begin_doubt();
    // Nobody has been told: the next flush of a user fails, and reads back what it covers.
    main_gate.fail(EIO);
  }
  for (SpareDevice& spare : spares) spare.take_over(left.spare_flush_in_doubt);
}

// Inlined into the calls of a thread that waits, whose clean requests are nothing else.
[[gnu::always_inline]] inline io::IoStatus DataPath::count_read(io::IoStatus status) {
  if (!status.ok()) [[unlikely]]
    count(main_read_errors);
  return status;
}

[[gnu::always_inline]] inline io::IoStatus DataPath::count_write(SectorRange range,
                                                                 io::IoStatus status) {
  head_writes.note(range);
  if (!status.ok()) [[unlikely]] {
    note_failed_write(range);
  } else {
    unflushed.add(range);
  }
  return status;
}

io::IoStatus DataPath::read_main(Sector first, std::span<std::byte> out) {
  if (breaker.tripped()) return kTripped;
  return count_read(main_device().read(first, out));
}

io::IoStatus DataPath::end_main_read(io::IoStatus status) {
  return count_read(status);
}

io::IoStatus DataPath::write_main(Sector first, std::span<const std::byte> data) {
  if (breaker.tripped()) return kTripped;
  const io::IoStatus status = main_device().write(first, data);
  return count_write({first, SectorCount::from_bytes(data.size())}, status);
}

io::IoStatus DataPath::end_main_write(SectorRange range, io::IoStatus status) {
  return count_write(range, status);
}

// Nothing was acknowledged that a flush could lose; but parts of it may have been written.
void DataPath::note_failed_write(SectorRange range) {
  evidence.void_range(range);
  count(main_write_errors);
}

io::IoStatus DataPath::write_held_main(Sector first, std::span<const std::byte> data) {
  const table::Pins::Pin pin = live.pin({first, SectorCount::from_bytes(data.size())});
  return write_main(first, data);
}

io::IoStatus DataPath::zero_main(SectorRange range) {
  if (breaker.tripped()) return kTripped;
  return end_main_zero(range, main_device().write_zeroes(range));
}

io::IoStatus DataPath::end_main_zero(SectorRange range, io::IoStatus status) {
  head_writes.note(range);
  if (status.ok()) {
    unflushed.add(range);
    return status;
  }
  evidence.void_range(range);
  if (io::classify(status.error) != io::Fault::unsupported) count(main_write_errors);
  return status;
}

io::IoStatus DataPath::discard_main(SectorRange range) {
  if (breaker.tripped()) return kTripped;
  return end_main_discard(range, main_device().discard(range));
}

io::IoStatus DataPath::end_main_discard(SectorRange range, io::IoStatus status) {
  head_writes.note(range);
  // Whether it is done now, later or never is up to the device.
  evidence.void_range(range);
  return status;
}

io::IoStatus DataPath::flush_main_device() {
  if (breaker.tripped()) return kTripped;
  unflushed.begin_doubt();
  const io::IoStatus status = main_device().flush();
  if (status.ok() && !main_gate.failed_untold()) unflushed.end_doubt();
  // A device that is not there has not answered: what it holds in its cache the next flush covers.
  if (!status.ok() && io::classify(status.error) != io::Fault::device) evidence.flush_failed();
  return status;
}

std::vector<BlockHash> DataPath::evidence_now() const {
  const table::Table table = live.table();
  std::vector<BlockHash> out = evidence.valid();
  std::erase_if(out, [&table](const BlockHash& known) { return table.any(known.block); });
  return out;
}

void DataPath::note_changed_contents(SectorRange block) {
  std::string text =
      fmt::format("main returned other data than was written at sector {}", block.first.value);
  {
    const std::lock_guard lock(reason_mutex_);
    if (!changed_contents_.empty()) return;
    changed_contents_ = text;
  }
  emit(format::EventKind::degraded, Severity::error, block, 0, std::move(text));
}

std::string DataPath::changed_contents() const {
  const std::lock_guard lock(reason_mutex_);
  return changed_contents_;
}

io::Fault DataPath::diagnose_main(int error) {
  if (breaker.tripped() || error == kTripped.error) return io::Fault::device;
  switch (const io::Fault fault = io::classify(error)) {
    case io::Fault::media:
      return io::Fault::media;
    case io::Fault::unsupported:
    case io::Fault::no_space:
    case io::Fault::caller:
      // Promise 6: a main that takes no writes but reads loses none of its data; what was to be
      // written is remapped like what a bad sector did not take.
      return refuses_writes(error) ? io::Fault::media : fault;
    case io::Fault::device:
      break;
    case io::Fault::unknown:
      if (reads_well(main_device())) return io::Fault::media;
      break;
  }
  trip(error);
  return io::Fault::device;
}

bool DataPath::refuses_writes(int error) {
  // EPERM: a block device that was set read-only (Linux, block/fops.c, blkdev_write_iter). EROFS:
  // an image whose file system was. EBADF: one that was opened so. A main that reads gives none of
  // them for another reason.
  if (error != EPERM && error != EROFS && error != EBADF) return false;
  if (main_write_refusal.load() == 0 && !reads_well(main_device())) return false;
  main_write_refusal.store(error);
  withhold_all();
  return true;
}

bool DataPath::reads_well(io::BlockDevice& device) {
  const auto usable = [table = live.table()](SectorRange unit) { return !table.any(unit); };
  return main_probe_.alive(device, usable);
}

void DataPath::trip(int error) {
  std::string reason = trip_reason("main", error);
  if (breaker.tripped()) return;
  trip_error.store(error);
  if (breaker.trip(reason)) {
    withhold_all();
    trouble.trips.fetch_add(1);
    emit(format::EventKind::trip, Severity::error, {}, error, std::move(reason));
  }
}

void DataPath::trip_because(std::string reason) {
  if (breaker.tripped()) return;
  trip_error.store(0);
  if (breaker.trip(reason)) {
    withhold_all();
    trouble.trips.fetch_add(1);
    emit(format::EventKind::trip, Severity::error, {}, 0, std::move(reason));
  }
}

void DataPath::rearm(io::BlockDevice& device) {
  // A device that was away may have lost what was in its cache, and no flush of it will say so: the
  // next flush of a user does, unless one has failed since. Before the first good flush that may be
  // what an earlier run, which was killed, had acknowledged.
  // What went past this process it does not know.
  if (evidence.any_unflushed() || !main_flushed.load() || direct != nullptr) main_gate.fail(EIO);
  main_.store(&device);
  breaker.rearm();
  emit(format::EventKind::rearm, Severity::info, {}, 0, "main is back");
}

std::uint64_t DataPath::true_deadline(std::uint64_t of_request) const {
  return clock.at_raw(of_request - request_deadline_ns) + request_deadline_ns;
}

bool DataPath::wait_unwatched(SectorRange range, std::uint64_t deadline_ns) {
  // What is waited for is real time; a pause may have used it up.
  for (;;) {
    const std::chrono::nanoseconds left = left_until(deadline_ns);
    if (live.wait_unwatched(range, left)) return true;
    if (left.count() == 0) return false;
  }
}

bool DataPath::known_unreadable(const table::Table& table, SectorRange range) const {
  return table::any_nowhere(table, range) || spares.failing.any(range);
}

void DataPath::emit(format::EventKind kind, Severity severity, SectorRange range, int error,
                    std::string text) {
  if (observer == nullptr) return;
  format::Event event;
  event.kind = kind;
  event.severity = severity;
  event.main = range;
  event.error = error;
  event.text = std::move(text);
  observer->on_event(std::move(event));
}

void DataPath::go_read_only(std::string reason) {
  {
    const std::lock_guard lock(reason_mutex_);
    if (read_only_.exchange(true)) return;
    read_only_reason_ = reason;
  }
  withhold_all();
  emit(format::EventKind::read_only, Severity::error, {}, 0, std::move(reason));
}

// After what may_go_direct() asks for has changed: what is let through before this is withheld by
// it, and nothing is afterwards. If it cannot be had, main answers users as it does us.
void DataPath::withhold_all() {
  (void)withhold({{0}, geometry.size});
}

bool DataPath::may_go_direct(SectorRange range) const {
  // Main may be back under another node than the one that the direct path has.
  return writable() && !breaker.tripped() && main_write_refusal.load() == 0 &&
         direct_follows_main() && live.clean(range);
}

Result<void> DataPath::send_direct_to_main() {
  if (direct_follows_main()) return {};
  if (movable_ == nullptr) return fail(ErrorCode::not_supported, "it cannot be led elsewhere");
  io::BlockDevice& main = main_device();
  const DirectChange withheld(direct);
  auto followed = movable_->follow_main(main, [this](SectorRange range) { unflushed.add(range); });
  if (followed) direct_main_.store(&main);
  return followed;
}

std::string DataPath::read_only_reason() const {
  const std::lock_guard lock(reason_mutex_);
  return read_only_reason_;
}

}  // namespace dmremap::remap
