// SPDX-License-Identifier: GPL-2.0-or-later
// Writes, zeroes and discards. A write fails only when nothing can take it (promise 4), and only
// the units that main refuses move (promise 5).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "remap/data_path.hpp"
#include "remap/request/copy_on_write.hpp"
#include "remap/writer/quiesced_range.hpp"
#include "remap/writer/remapper.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

class WritePath {
 public:
  // `remapper` null: read-only.
  WritePath(DataPath& path, Remapper* remapper) : path_(path), remapper_(remapper) {
    if (remapper != nullptr) copy_on_write_.emplace(path, *remapper);
  }

  // All require ranges of whole units inside main. `timer`: as for Disk.
  io::IoStatus write(Sector first, std::span<const std::byte> data, bool fua, RequestTimer* timer);
  io::IoStatus write_zeroes(SectorRange range, RequestTimer* timer);
  io::IoStatus discard(SectorRange range, RequestTimer* timer);

  // The data of a write that main refused with `error`, whoever issued it; `pin` is the request's.
  // A function of its own, so that the clean write pays for nothing that it does not need.
  io::IoStatus take_failed(table::Pins::Pin pin, SectorRange range, std::span<const std::byte> data,
                           int error, std::uint64_t deadline_of_request, RequestTimer* timer);

 private:
  // The parts of a request that must be remapped, and the devices that a FUA must flush.
  struct Remainder {
    RequestTimer* timer = nullptr;  // of the request
    std::vector<Item> items;
    bool main_touched = false;
    bool spare_touched = false;
  };
  // How long main may still be tried, and how long its slowest answer has taken so far.
  struct DeadlineBudget {
    std::uint64_t deadline_ns = 0;
    std::uint64_t slowest_ns = 0;
  };

  // A pin under which `range` may be written, zeroed or discarded: nothing holds a part of it.
  // Waits for holders, without a pin. Nothing: the set is read-only. Says nothing yet of a write.
  std::optional<table::Pins::Pin> pin_unheld(SectorRange range);
  // Call before the first byte is changed: the write counts, and those who watch a part of the
  // range notice it.
  void announce_write(table::Pins::Pin& pin, SectorRange range) const;

  io::IoStatus write_among_bad(table::Pins::Pin& pin, SectorRange range,
                               std::span<const std::byte> data, std::uint64_t deadline_ns,
                               RequestTimer* timer);
  io::IoStatus write_anywhere(SectorRange range, std::span<const std::byte> data, bool fua,
                              std::uint64_t deadline_of_request, RequestTimer* timer);
  // Lets go of `pin` when the remapper has what it could take.
  io::IoStatus take_remainder(table::Pins::Pin pin, Remainder& remainder,
                              std::uint64_t deadline_ns);
  // To a main that takes no writes: with what lies around `items`, or else by themselves. The
  // caller has no pin.
  Outcome copy_and_store(const Remainder& remainder, std::uint64_t deadline_ns);

  // A stretch of the table `now.table`, in which a write is overdue: what that covers is left to
  // the remapper.
  io::IoStatus write_beside_overdue(const table::Snapshot& now, SectorRange range,
                                    std::span<const std::byte> data, std::uint64_t deadline_ns,
                                    Remainder& remainder);
  io::IoStatus write_stretch(const table::Stretch& stretch, std::span<const std::byte> data,
                             std::uint64_t deadline_ns, Remainder& remainder);
  io::IoStatus write_main(SectorRange range, std::span<const std::byte> data,
                          std::uint64_t deadline_ns, Remainder& remainder);
  io::IoStatus narrow_main(SectorRange range, std::span<const std::byte> data, int error,
                           DeadlineBudget budget, Remainder& remainder);
  io::IoStatus zero_stretch(const table::Stretch& stretch, bool& by_hand);
  io::IoStatus heal(std::span<const Item> items, io::IoStatus refusal, std::uint64_t deadline_ns);
  io::IoStatus heal(QuiescedRange& quiesced, const Item& item, io::IoStatus refusal);
  // On main, durable and read back the same. Requires that the caller holds the range.
  io::IoStatus write_and_verify(Sector first, std::span<const std::byte> data);
  io::IoStatus flush_touched(const Remainder& remainder, FlushGate::Mark main_mark,
                             const SparePool::Marks& spare_marks);

  DataPath& path_;
  Remapper* remapper_;
  std::optional<CopyOnWrite> copy_on_write_;
};

}  // namespace dmremap::remap
