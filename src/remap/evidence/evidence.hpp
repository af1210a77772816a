// SPDX-License-Identifier: GPL-2.0-or-later
// The evidence of a running engine: which blocks of main held what, for as long as that is certain
// (docs/decisions/015-evidence-of-contents.md).
//
// An entry says: since this block was read, nothing has written it, and what was read was durable.
// A clean request pays nothing for that. A write pins its range before it starts and enters its
// region in UnflushedWrites when it is done, before the pin goes; both happen anyway. So an entry
// holds as long as its region is not dirty, no flush in progress covers its region, and no request
// in flight overlaps its block. A flush empties the dirty regions, so it drops the entries of the
// regions it takes in the same step. What changes contents and does not make its region dirty (a
// write that failed, a discard) says so with void_range, while it is still pinned.
//
// A block is taken up by begin(), a read, publish(). In between an entry in the making is voided
// like one that exists, so that a write and a flush that come and go during the read are noticed.
//
// A flush that failed is final for what it covered: the drive may still show it and lose it later.
// No entry is made in those regions for the rest of the run.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/scheduling.hpp"
#include "remap/evidence/evidence_check.hpp"
#include "table/snapshot.hpp"
#include "table/unflushed_writes.hpp"

namespace dmremap::remap {

// Thread-safe.
class ContentEvidence {
  struct alignas(64) Place {
    std::atomic<std::uint64_t> check{0};  // 0: no entry; else of the other three
    std::atomic<std::uint64_t> first{0};
    std::atomic<std::uint64_t> count{0};
    std::atomic<std::uint64_t> hash{0};
  };

 public:
  static constexpr std::size_t kBytes = 31 * sizeof(Place);
  static_assert(kBytes >= kMostEvidence * sizeof(Place));

  // `pins`, `unflushed` and `memory` outlive this; `memory` has kBytes bytes, aligned to 64,
  // zeroed. `known` holds of main as it is now. `durable`: so does what main shows, without a
  // flush.
  ContentEvidence(SectorCount main_size, const table::Pins& pins, table::UnflushedWrites& unflushed,
                  std::span<std::byte> memory, std::span<const BlockHash> known, bool durable,
                  Scheduling& scheduling);
  // What the memory of a process that is no more holds, whether it is void or not. Total on any
  // bytes.
  [[nodiscard]] static std::vector<BlockHash> entries_in(std::span<const std::byte> memory);

  // Around a flush that makes the dirty regions durable; one at a time. begin_flush moves them to
  // the covered ones.
  void begin_flush();
  // They are durable. Clears the covered ones.
  void end_flush();
  // Gives the covered ones back: the device was not there, and the next flush covers them as well.
  void cancel_flush();
  // Clears the covered ones: what they hold may never become durable.
  void abandon_flush();
  // Is there something of which no good flush has told that it is durable?
  [[nodiscard]] bool any_unflushed() const;
  // Any flush of main, also one that does not cover the dirty regions, failed.
  void flush_failed();

  // Call after `range` may have changed without being entered as dirty, while still pinned.
  void void_range(SectorRange range);

  // Takes up a block: false if what it holds now is not certain to be durable. One thread at a
  // time, with publish.
  [[nodiscard]] bool begin(SectorRange block);
  // False, and nothing is entered, if the block may have been written since begin(). `recent`: one
  // of those that make room for newer ones.
  bool publish(std::uint64_t hash, bool recent);

  // All that holds now, the oldest first.
  [[nodiscard]] std::vector<BlockHash> valid() const;
  [[nodiscard]] bool holds(const BlockHash& known) const;
  [[nodiscard]] bool has(SectorRange block) const;
  void drop(SectorRange block);

  // Main has been flushed well since this began, or needed no flush.
  [[nodiscard]] bool durable() const { return durable_.load(); }
  // Flushes that made dirty regions durable.
  [[nodiscard]] std::uint64_t flushes() const { return flushes_.load(); }
  // Where writes began that such flushes made durable lately, the newest last; forgets them.
  [[nodiscard]] std::vector<Sector> take_recent();

 private:
  struct Entry {
    BlockHash known;
    bool recent = false;
    std::uint64_t number = 0;  // 0: none
  };
  // Regions in which nothing is taken up. Made when the first is needed.
  struct BarredRegions {
    explicit BarredRegions(SectorCount size) : until_flush(size), flushing(size), for_good(size) {}
    table::DirtyRegions until_flush;  // changed without being dirty
    table::DirtyRegions flushing;     // those of them that the flush in progress covers
    table::DirtyRegions for_good;     // a flush failed
  };

  BarredRegions& barred_locked();
  [[nodiscard]] bool usable_locked(SectorRange block) const;
  [[nodiscard]] bool holds_locked(const Entry& entry, std::span<const SectorRange> in_flight) const;
  void store_locked(std::size_t at, const Entry& entry);
  [[nodiscard]] std::size_t place_for_locked(const Entry& entry) const;
  template <typename Predicate>
  void drop_locked(const Predicate& concerned);

  const SectorCount main_size_;
  const table::Pins& pins_;
  table::UnflushedWrites& unflushed_;
  const std::span<Place> places_;
  mutable Mutex mutex_;  // no I/O is done under it
  std::array<Entry, kMostEvidence> entries_{};
  std::uint64_t last_number_ = 0;
  std::unique_ptr<BarredRegions> barred_;
  bool all_barred_ = false;
  std::optional<SectorRange> pending_;  // between begin and publish, unless voided
  std::vector<Sector> flushing_recent_;
  std::vector<Sector> recent_;
  std::atomic<bool> durable_;
  std::atomic<std::uint64_t> flushes_{0};
};

}  // namespace dmremap::remap
