// SPDX-License-Identifier: GPL-2.0-or-later
// The table that requests see now, and the holds and watches on ranges of it.
//
// Who may change the state of a sector:
//
// A user's write may, through the remapper, while its request is pinned. It brings the data along,
// so any order among writes in flight is right.
//
// All others (a failed read that finds a sector lost, a relocation, a failed flush) may only under
// a hold: take the hold, drain the requests that began before it, look at the state, read the
// device again, have the remapper bind, let go. Writes, discards and zeroes that overlap a hold
// wait for it, unpinned; reads go on. So no decision made from an older read can overtake a write
// that its user was told of. The steps stand in one place: remap/writer/quiesced_range.hpp.
//
// Reading a bad sector may take a minute, and no write should wait for that. So the reader takes a
// watch first: publish the watch, drain, read; then hold and drain. If no write was noted meanwhile
// and the table says the same as before, what was read is as good as read under the hold.
//
// A pinned request waits for devices and for the remapper, never for a hold, and the remapper waits
// for devices only. Hence there is no deadlock.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "table/region_map.hpp"
#include "table/snapshot.hpp"
#include "table/table.hpp"

namespace dmremap::table {

// Requests in flight that do not announce themselves in this process: those that a kernel target
// sends to main by itself. Thread-safe.
class PinSource {
 public:
  // Waits until no request is in flight any more that touches `range` and began before the call.
  // One that begins later sees what was published and held before. False: not by `deadline_ns`.
  [[nodiscard]] virtual bool drain(SectorRange range, Clock& clock,
                                   std::uint64_t deadline_ns) const = 0;
  // Every request in flight saw what was published in this epoch, or later.
  [[nodiscard]] virtual std::uint64_t oldest() const = 0;

 protected:
  ~PinSource() = default;
};

// Told of every table by the thread that publishes it: after requests see it, and before whoever
// asked for the change is answered. Must not hold, watch or publish, nor wait for a request.
class TableSubscriber {
 public:
  // `changed`: where `table` differs from the one before.
  virtual void on_table(const Table& table, std::span<const SectorRange> changed) = 0;

 protected:
  ~TableSubscriber() = default;
};

// Thread-safe.
class LiveTable {
 public:
  // `pins`: as for Pins.
  LiveTable(SectorCount main_size, const Table& table, Scheduling& scheduling,
            std::span<std::byte> pins = {});

  // Both outlive this; call before the first request. Own requests need no source.
  void add(const PinSource& source) { sources_.push_back(&source); }
  void add(TableSubscriber& subscriber) { subscribers_.push_back(&subscriber); }

  // The order matters: pin first, then look.
  [[nodiscard]] Pins::Pin pin(SectorRange range) { return pins_.pin(range); }
  // True if main serves all of `range` and nothing holds or watches a part of it, as far as the
  // regions that it touches tell. Requires a pin.
  [[nodiscard]] bool clean(SectorRange range) const { return !regions_.any(range); }
  // For a caller that writes to main in a range that it holds, and so has no pin.
  void note_write(SectorRange range) const;
  // Valid while the caller's pin lives.
  [[nodiscard]] const Snapshot& snapshot() const { return snapshots_.current(); }

  // Without a pin: a copy that shares everything. What it says of a held and drained range stays
  // true until the holder has it changed.
  [[nodiscard]] Table table() const;

  // `changed`: where `table` differs from the one before. Returns the epoch from which on requests
  // see it. The remapper only.
  std::uint64_t publish(const Table& table, std::span<const SectorRange> changed);

  // Several ranges held as one, so that no two holders can wait for each other.
  class Hold {
   public:
    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&&) = delete;
    ~Hold();

   private:
    friend class LiveTable;
    Hold(LiveTable& owner, std::vector<SectorRange> ranges)
        : owner_(&owner), ranges_(std::move(ranges)) {}
    LiveTable* owner_;
    std::vector<SectorRange> ranges_;
  };
  // Waits for holds that overlap. The caller has no pin and no other hold.
  [[nodiscard]] Hold hold(std::vector<SectorRange> ranges);
  // Waits for the requests in flight that began before the hold and touch it. False: not by then.
  [[nodiscard]] bool drain(const Hold& hold, Clock& clock, std::uint64_t deadline_ns) const;
  // Waits until nothing holds a part of `range`. The caller has no pin. No deadline: a write fails
  // only when nothing can take it (promise 4), and each holder lets go by a deadline of its own.
  void wait_unheld(SectorRange range);

  // Notes writes to a range, for as long as it exists.
  class Watch {
   public:
    Watch(Watch&& other) noexcept;
    Watch& operator=(Watch&&) = delete;
    ~Watch();
    [[nodiscard]] SectorRange range() const { return watched_->range; }
    [[nodiscard]] bool written() const { return watched_->written.load(); }

   private:
    friend class LiveTable;
    Watch(LiveTable& owner, std::shared_ptr<WatchRecord> watched)
        : owner_(&owner), watched_(std::move(watched)) {}
    LiveTable* owner_;
    std::shared_ptr<WatchRecord> watched_;
  };
  // Nothing if a part of `range` is watched already. Requests that began before the watch may still
  // write without noting it: drain them.
  [[nodiscard]] std::optional<Watch> watch(SectorRange range);
  [[nodiscard]] bool drain(const Watch& watch, Clock& clock, std::uint64_t deadline_ns) const;
  // Waits until nothing watches a part of `range`. False: not within `longest`. The caller has no
  // pin.
  [[nodiscard]] bool wait_unwatched(SectorRange range, std::chrono::nanoseconds longest);

  // A write of `range` is overdue from now on, and until it is removed; several may overlap. Any
  // request that pins itself later sees it.
  void add_overdue(SectorRange range);
  void remove_overdue(SectorRange range);
  // Is a write of a part of `range` overdue, and may one land where a part of it lies now? Without
  // a pin.
  [[nodiscard]] bool is_overdue(SectorRange range) const;
  [[nodiscard]] bool is_in_reach(SectorRange range) const;

  // The requests of this process.
  [[nodiscard]] const Pins& pins() const { return pins_; }
  // Waits for the requests in flight, of every source, that began before the call and touch
  // `range`. False: not by then.
  [[nodiscard]] bool drain(SectorRange range, Clock& clock, std::uint64_t deadline_ns) const;
  // Every request in flight, of every source, began in this epoch or later.
  [[nodiscard]] std::uint64_t oldest_request() const;

 private:
  std::uint64_t publish_locked(Snapshot next);
  void clear_unused_locked(SectorRange range);
  // What `next` binds to the spare in `changed` is out of the reach of what is overdue there.
  static void note_moved(Snapshot& next, std::span<const SectorRange> changed);
  void release(const std::vector<SectorRange>& ranges);
  void release(const std::shared_ptr<WatchRecord>& watched);

  Pins pins_;
  std::vector<const PinSource*> sources_;
  std::vector<TableSubscriber*> subscribers_;
  RegionMap regions_;
  mutable Mutex mutex_;  // publishing; no I/O is done under it
  Condition released_;
  SnapshotVersions snapshots_;
};

}  // namespace dmremap::table
