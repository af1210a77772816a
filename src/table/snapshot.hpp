// SPDX-License-Identifier: GPL-2.0-or-later
// How requests see one state of the table from start to end without locks, and how a writer learns
// that those who saw an older one are done. The field calls it epoch-based reclamation, or RCU.
//
// A request claims a slot of a fixed array, announces its range there, and only then looks at
// anything shared (region bits, the current snapshot). A writer publishes first and then looks at
// the slots. All of it is sequentially consistent, so either the request sees what was published or
// the writer sees the request.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/scheduling.hpp"
#include "base/units.hpp"
#include "table/table.hpp"

namespace dmremap::table {

// A range that is read without holding writes off, and whether a write came meanwhile
// (live_table.hpp).
struct WatchRecord {
  SectorRange range;
  std::atomic<bool> written{false};
};

// A write that a device still has although its caller was told that it failed
// (remap/request/request_timer.hpp). It may land after all that is written in its range now, so
// nothing is written in place there, neither on main nor on the spare.
struct OverdueWrite {
  SectorRange range;  // of main
  // The parts of it that were bound to other places on the spare since, where it cannot land.
  // Sorted, disjoint, and apart from each other.
  std::vector<SectorRange> moved;

  [[nodiscard]] bool reaches(SectorRange sectors) const {
    const SectorRange there = range.intersect(sectors);
    return !there.empty() && std::ranges::none_of(moved, [there](const SectorRange& part) {
      return part.contains(there);
    });
  }
};

// Immutable once published, but for what requests note in it.
struct Snapshot {
  Table table;
  // Ranges of main that someone settles (live_table.hpp): writes, zeroes and discards that overlap
  // one wait.
  std::vector<SectorRange> holds;
  std::vector<std::shared_ptr<WatchRecord>> watches;
  std::vector<OverdueWrite> overdue;

  [[nodiscard]] bool held(SectorRange range) const {
    for (const SectorRange& hold : holds) {
      if (hold.overlaps(range)) return true;
    }
    return false;
  }
  [[nodiscard]] bool watched(SectorRange range) const {
    for (const auto& watch : watches) {
      if (watch->range.overlaps(range)) return true;
    }
    return false;
  }
  [[nodiscard]] bool is_overdue(SectorRange range) const {
    return std::ranges::any_of(
        overdue, [range](const OverdueWrite& write) { return write.range.overlaps(range); });
  }
  // May an overdue write land where a part of `range` lies now?
  [[nodiscard]] bool is_in_reach(SectorRange range) const {
    return std::ranges::any_of(overdue,
                               [range](const OverdueWrite& write) { return write.reaches(range); });
  }
  // Of a pinned request that is about to write, zero or discard.
  void note_write(SectorRange range) const {
    for (const auto& watch : watches) {
      if (watch->range.overlaps(range)) watch->written.store(true);
    }
  }
};

// The requests in flight. Thread-safe.
//
// The slots may lie in memory that outlives the process (engine_memory.hpp). After a kill an odd
// turn with a range says that the request may have been at the device: the range is stored before
// the request touches anything, and the turn becomes even only after what the request did was
// entered elsewhere (a write in DirtyRegions). A slot that was claimed and not announced shows the
// range of an earlier request; the present one has not begun then.
class Pins {
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> turn{0};  // odd: in use; changes with every claim and release
    std::atomic<std::uint64_t> epoch{0};
    std::atomic<std::uint64_t> range{0};  // 40 bits first sector, 24 bits count
    // Written by whoever has the slot, read by anyone: counting costs no shared cache line.
    std::atomic<std::uint64_t> reads{0};
    std::atomic<std::uint64_t> writes{0};
  };

 public:
  static constexpr std::size_t kSlots = 256;

  static constexpr std::size_t kBytes = kSlots * sizeof(Slot);
  // `memory` holds the slots, kBytes bytes, aligned to 64, and outlives this; it is zeroed. Empty:
  // memory of its own.
  explicit Pins(Scheduling& scheduling, std::span<std::byte> memory = {});

  // One request, for as long as it exists.
  class Pin {
   public:
    Pin(Pin&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
    Pin& operator=(Pin&&) = delete;
    ~Pin() { release(); }
    void release() {
      if (slot_ == nullptr) return;
      slot_->turn.store(slot_->turn.load(std::memory_order_relaxed) + 1);
      slot_ = nullptr;
    }
    void count_read() { add_one(slot_->reads); }
    void count_write() { add_one(slot_->writes); }

   private:
    friend class Pins;
    explicit Pin(Slot* slot) : slot_(slot) {}
    static void add_one(std::atomic<std::uint64_t>& counter) {
      // Whoever sees the count sees the pin, too: Engine::settled_writes relies on it.
      counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    Slot* slot_;
  };

  // Waits, in the rare case that all slots are taken, until one is free.
  [[nodiscard]] Pin pin(SectorRange range);

  // Waits until every request that had announced itself before the call and overlaps `range` is
  // done. False: not by `deadline_ns` of `clock`.
  [[nodiscard]] bool drain(SectorRange range, Clock& clock, std::uint64_t deadline_ns) const;

  // One request as it was seen; equal to a later look only if it is the same request.
  struct InFlight {
    std::size_t slot = 0;
    std::uint64_t turn = 0;
    SectorRange range;  // what does not fit 24 bits of sectors is cut

    bool operator==(const InFlight&) const = default;
  };
  // May show the range of an earlier request for one that has only just begun.
  [[nodiscard]] std::vector<InFlight> in_flight() const;
  // The same by range alone; one that does not fit 24 bits of sectors reaches to the end of any
  // device.
  [[nodiscard]] std::vector<SectorRange> ranges_in_flight() const;
  // From the bytes of the slots of a process that is no more. Total on any bytes.
  [[nodiscard]] static std::vector<SectorRange> ranges_in_flight(std::span<const std::byte> memory);

  // Starts a new epoch and returns it: requests that come later see what was published before.
  std::uint64_t advance() { return epoch_.fetch_add(1) + 1; }
  // Every request in flight began in this epoch or later.
  [[nodiscard]] std::uint64_t oldest() const;

  [[nodiscard]] std::uint64_t reads() const;
  [[nodiscard]] std::uint64_t writes() const;

 private:
  [[nodiscard]] std::span<const Slot> slots() const { return {slots_, kSlots}; }

  std::vector<Slot> own_slots_;
  Slot* const slots_;
  std::atomic<std::uint64_t> epoch_{1};
  Scheduling& scheduling_;
};

// The current snapshot and the former ones that requests in flight may still look at; these are
// freed by epoch, as RCU does it. current() from any pinned thread; the rest under the caller's
// lock.
class SnapshotVersions {
 public:
  explicit SnapshotVersions(std::unique_ptr<const Snapshot> first) : current_(first.release()) {}
  SnapshotVersions(const SnapshotVersions&) = delete;
  SnapshotVersions& operator=(const SnapshotVersions&) = delete;
  ~SnapshotVersions() { delete current_.load(); }

  // Valid while the caller's pin, taken before, lives.
  [[nodiscard]] const Snapshot& current() const { return *current_.load(); }
  // Returns the epoch from which on no request sees the former snapshot; frees what none sees now.
  std::uint64_t publish(std::unique_ptr<const Snapshot> next, Pins& pins);

 private:
  struct Former {
    std::unique_ptr<const Snapshot> snapshot;
    std::uint64_t epoch = 0;
  };
  std::atomic<const Snapshot*> current_;
  std::deque<Former> former_;
};

}  // namespace dmremap::table
