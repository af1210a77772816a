// SPDX-License-Identifier: GPL-2.0-or-later
// One spare of the set as the engine sees it: the door to its data area, whether it is there and
// takes writes, what its flushes covered, and which of its sectors are free.
//
// A request that fails leaves a sign of trouble, which concludes nothing; SpareWatch follows it up
// (spare_watch.hpp). A write marks the gate before it is acknowledged, so that a spare that goes
// away with something unflushed makes the next flush of a user fail.
#pragma once

#include <functional>
#include <span>

#include "base/scheduling.hpp"
#include "base/spare_address.hpp"
#include "io/block_device.hpp"
#include "io/io_status.hpp"
#include "remap/device/flush_gate.hpp"
#include "remap/device/probe.hpp"
#include "remap/device/spare_trouble.hpp"
#include "table/allocator.hpp"
#include "table/unflushed_writes.hpp"

namespace dmremap::remap {

// Thread-safe, but for `allocator`.
class SpareDevice {
 public:
  // `device` outlives this. `recorded_size`: as the metadata says, not as the device is now.
  SpareDevice(SpareIndex index, io::BlockDevice& device, SectorCount recorded_size,
              table::Allocator allocator, Scheduling& scheduling);

  // The data area, in sectors of this spare.
  io::IoStatus read(Sector first, std::span<std::byte> out);
  io::IoStatus write(Sector first, std::span<const std::byte> data);
  // Through the gate: makes durable what was written before. Fails if any flush failed since.
  io::IoStatus flush_since(FlushGate::Mark since);
  // For a user that has heard of the failures up to `heard`. Skips a device to which nothing was
  // written.
  FlushGate::UserFlush flush_for_user(FlushGate::Mark heard);
  // What an error comes to, never `unknown`: where the errno says nothing, the spare is probed.
  // `media`: the sector is bad. `device`: the spare is not there, which is noted; nothing trips.
  io::Fault diagnose(int error);
  // Does what may ask the device past this one, as the metadata's store does, and notes an absence
  // that it met.
  template <typename Action>
  auto watch_for_absence(const Action& action) {
    const std::uint64_t before = device_.counters().absences.load();
    auto result = action();
    if (device_.counters().absences.load() != before) note_absence();
    return result;
  }

  // Of the device as it is served now, which may be more than the set uses.
  [[nodiscard]] SectorCount device_size() const { return device_.geometry().size; }

  // From now on a flush through the gate leaves a doubt in `doubts` until it has ended well, and
  // its caller will be told so (table/unflushed_writes.hpp). `doubts` outlives this.
  void keep_doubts_in(table::UnflushedWrites& doubts) { doubts_ = &doubts; }
  // What a killed engine wrote to it may be unflushed, and if `in_doubt` a flush of it may have
  // failed: users who are served on have to be told. Before the first request.
  void take_over(bool in_doubt);

  // Does what attaches the device anew. No flush runs meanwhile, and what was written to the former
  // attachment and not flushed there may be lost: the next flush of a user fails, and so does a
  // write that is under way.
  void reattach(const std::function<void()>& attach);

  const SpareIndex index;
  const SectorCount recorded_size;  // when the set was made
  FlushGate gate;
  SpareTrouble trouble;
  // The remapper's, which alone may use it.
  table::Allocator allocator;

 private:
  // The spare was not there. What was only in its cache may be lost even if it is back by now, and
  // no flush of it would say so: the next one of a user fails.
  void note_absence();
  io::IoStatus flush();
  io::IoStatus flush_in_doubt();
  // Leaves a sign of trouble if a request failed.
  io::IoStatus noted(io::IoStatus status);

  io::BlockDevice& device_;
  Probe probe_;
  table::UnflushedWrites* doubts_ = nullptr;
};

}  // namespace dmremap::remap
