// SPDX-License-Identifier: GPL-2.0-or-later
// What the parts of the engine share: main behind a door that knows of the breaker and of what a
// flush must cover, the pool of spares, the live table, and what the set says about itself.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/clock.hpp"
#include "remap/device/breaker.hpp"
#include "remap/device/flush_gate.hpp"
#include "remap/device/probe.hpp"
#include "remap/device/spare_pool.hpp"
#include "remap/engine.hpp"
#include "remap/engine_memory.hpp"
#include "remap/evidence/evidence.hpp"
#include "remap/head_writes.hpp"
#include "remap/movable_direct_path.hpp"
#include "remap/process_clock.hpp"
#include "remap/request/latency_sampler.hpp"
#include "remap/trouble_counters.hpp"
#include "table/live_table.hpp"
#include "table/unflushed_writes.hpp"

namespace dmremap::remap {

// Thread-safe.
class DataPath {
 public:
  // `allocators`: of each spare of `parts`, by index.
  DataPath(const EngineParts& parts, const format::Content& content, const table::Table& table,
           std::vector<table::Allocator> allocators);

  // Main. While the breaker is tripped these fail at once with kTripped.
  io::IoStatus read_main(Sector first, std::span<std::byte> out);
  io::IoStatus write_main(Sector first, std::span<const std::byte> data);
  io::IoStatus zero_main(SectorRange range);
  io::IoStatus discard_main(SectorRange range);
  // Under main's gate.
  io::IoStatus flush_main_device();
  // Main for a request that somebody else issues, pinned; null while the breaker is tripped. What
  // became of it is then said by one of the following, before the pin is released: they take
  // account of it as the calls above do, and return `status`.
  [[nodiscard]] io::BlockDevice* main_unless_tripped() {
    return breaker.tripped() ? nullptr : &main_device();
  }
  io::IoStatus end_main_read(io::IoStatus status);
  io::IoStatus end_main_write(SectorRange range, io::IoStatus status);
  io::IoStatus end_main_zero(SectorRange range, io::IoStatus status);
  io::IoStatus end_main_discard(SectorRange range, io::IoStatus status);
  // What an error of main comes to, never `unknown`: where the errno says nothing, main is probed.
  // `media`: the sector is bad; narrow, remap, mark. `device`: main is not there, and the breaker
  // is open now; change nothing. All else is the request's or the host's doing; pass it on. Call
  // after the request has failed, without a lock.
  io::Fault diagnose_main(int error);
  // Opens the breaker for what was seen without a request; does nothing while it is open.
  void trip_because(std::string reason);
  // Does `device` read where main did when the set was opened?
  [[nodiscard]] bool reads_well(io::BlockDevice& device);
  // Takes `device` for main from now on and closes the breaker.
  void rearm(io::BlockDevice& device);
  // For a caller that holds `first` and as many sectors as there is data (live_table.hpp), and so
  // has no pin: as write_main, pinned while the device may write.
  io::IoStatus write_held_main(Sector first, std::span<const std::byte> data);
  // The evidence that holds now of blocks that main serves.
  [[nodiscard]] std::vector<BlockHash> evidence_now() const;
  // Main holds other data there than it held after a flush, and nobody wrote it: told once.
  void note_changed_contents(SectorRange block);
  // Of the first such block; empty: none.
  [[nodiscard]] std::string changed_contents() const;

  void emit(format::EventKind kind, Severity severity, SectorRange range, int error,
            std::string text);

  // Is a sector of `range` an error that no device need be asked for: lost, gone or failing?
  [[nodiscard]] bool known_unreadable(const table::Table& table, SectorRange range) const;

  [[nodiscard]] bool writable() const { return !read_only_.load(std::memory_order_relaxed); }
  // From now on nothing is acknowledged that would change anything.
  void go_read_only(std::string reason);

  // Requests that touch `range` and begin from now on are announced in this process. False: it
  // cannot be had, and nothing may be concluded about the range.
  [[nodiscard]] bool withhold(SectorRange range) {
    return direct == nullptr || direct->withhold(range);
  }
  // Do those that go to main past this process go where main is now?
  [[nodiscard]] bool direct_follows_main() const {
    return direct == nullptr || (main_.load() == direct_main_.load() &&
                                 (movable_ == nullptr || movable_->reaches_main()));
  }
  // Makes them go there. What is not durable of what they have written is this engine's to flush
  // from then on. Waits for requests of users. Only the thread that looks for main calls it.
  [[nodiscard]] Result<void> send_direct_to_main();
  // May users' requests go to main past this process?
  [[nodiscard]] bool may_go_direct(SectorRange range) const;

  [[nodiscard]] std::uint64_t deadline_from_now() const {
    return clock.monotonic_ns() + request_deadline_ns;
  }
  // For every request as it comes, clean ones too: hence the coarse clock, which knows of no
  // pauses. Only what failed or has to wait asks for true_deadline() of it.
  [[nodiscard]] std::uint64_t deadline_of_request() const {
    return raw_clock.coarse_ns() + request_deadline_ns;
  }
  [[nodiscard]] std::uint64_t true_deadline(std::uint64_t of_request) const;
  // False: somebody still watches a part of it, and the deadline has passed.
  [[nodiscard]] bool wait_unwatched(SectorRange range, std::uint64_t deadline_ns);
  // Nothing, once it has passed.
  [[nodiscard]] std::chrono::nanoseconds left_until(std::uint64_t deadline_ns) const {
    const std::uint64_t now = clock.monotonic_ns();
    return std::chrono::nanoseconds(now < deadline_ns ? deadline_ns - now : 0);
  }
  [[nodiscard]] SectorCount unit() const { return geometry.unit(); }
  [[nodiscard]] SectorCount block() const {
    // Whole units, whatever a bridge reports.
    return {align_up(SectorCount::from_bytes(geometry.physical_block_bytes).value, unit().value)};
  }

  const io::Geometry geometry;  // of main
  const format::Configuration policy;
  const std::uint64_t request_deadline_ns;
  // Entries that fit a metadata slot. The remapper changes it where the spare grows.
  std::atomic<std::uint64_t> table_capacity;
  const bool main_opened_read_only;  // it takes no writes, whatever the kernel says
  Clock& raw_clock;
  mutable ProcessClock clock;  // of all deadlines and durations; reading it changes nothing
  Scheduling& scheduling;
  Observer* const observer;
  RecheckRounds* const recheck_rounds;  // null: nobody wants to know
  DirectPath* const direct;             // null: all requests come through this process

 private:
  AlignedBuffer own_memory_;
  const EngineMemory memory_;

 public:
  table::LiveTable live;
  Breaker breaker;
  FlushGate main_gate;
  table::UnflushedWrites unflushed;  // of main
  HeadWrites head_writes;
  ContentEvidence evidence;
  LatencySampler latencies;
  SparePool spares;
  const AlignedBuffer zeroes;

  std::atomic<std::uint64_t> flushes{0};
  std::atomic<std::uint64_t> remapped_reads{0};
  std::atomic<std::uint64_t> remapped_writes{0};
  std::atomic<std::uint64_t> main_read_errors{0};
  std::atomic<std::uint64_t> main_write_errors{0};
  TroubleCounters trouble;

  std::atomic<bool> main_flushed{false};  // well, by a user, since this engine began
  std::atomic<bool> table_full{false};
  std::atomic<int> trip_error{0};       // the errno that last tripped the breaker
  std::atomic<int> main_write_refusal;  // the errno with which main, though it reads, takes no
                                        // writes; 0: none is known

  [[nodiscard]] std::string read_only_reason() const;

 private:
  void take_over(const UnflushedLeft& left);
  // What users send has an answer that only this process can give.
  void withhold_all();
  io::BlockDevice& main_device() { return *main_.load(); }
  void trip(int error);
  void note_failed_write(SectorRange range);
  io::IoStatus count_read(io::IoStatus status);
  io::IoStatus count_write(SectorRange range, io::IoStatus status);
  // Is `error`, of a write, what the kernel says of a device that it set read-only, and main reads?
  [[nodiscard]] bool refuses_writes(int error);

  std::atomic<io::BlockDevice*> main_;
  std::atomic<io::BlockDevice*> direct_main_;  // that requests past this process go to
  MovableDirectPath* const movable_;           // null: `direct` cannot be led elsewhere
  Probe main_probe_;
  std::atomic<bool> read_only_;
  mutable std::mutex reason_mutex_;
  std::string read_only_reason_;
  std::string changed_contents_;
};

// The part of a request's buffer that belongs to `part` of its range.
template <typename Byte>
[[nodiscard]] std::span<Byte> part_of(std::span<Byte> buffer, SectorRange whole, SectorRange part) {
  return buffer.subspan((part.first - whole.first).bytes(), part.count.bytes());
}

}  // namespace dmremap::remap
