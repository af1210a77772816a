// SPDX-License-Identifier: GPL-2.0-or-later
// Remapped sectors whose spare sector does not read: *remapped, failing*.
//
// The spare sector holds the only copy, and a cable, a controller or a hot drive may be to blame.
// So the binding stays, reads of the sector are EIO without asking the spare, and the spare is
// asked again in the background: after 1 s, 10 s, 1 min and 10 min, then as often as lost sectors
// are. It is given up (the sector is gone) only if the device itself says that the medium is bad
// (ENODATA, EILSEQ), kAsksBeforeGone times in a row at least and for kRechecksBeforeGone intervals
// of that policy: a day by default. Any other errno, plain EIO among them, begins the row anew.
//
// This is kept in memory only: after a restart the binding is there, and if the spare sector fails
// again it is failing again.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "table/live_table.hpp"

namespace dmremap::remap {

struct FailingPlace {
  SectorRange main;  // one unit
  int error = 0;     // what the spare gave last
};

// Thread-safe.
class FailingPlaces final : public table::TableSubscriber {
 public:
  static constexpr unsigned kAsksBeforeGone = 8;
  static constexpr std::uint64_t kRechecksBeforeGone = 24;

  // `recheck_ns`: how often lost sectors are asked again.
  explicit FailingPlaces(std::uint64_t recheck_ns) : recheck_ns_(recheck_ns) {}

  // Does any unit of `range` fail? One load while none does.
  [[nodiscard]] bool any(SectorRange range) const;
  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::vector<FailingPlace> list() const;

  // The spare sector of `unit` failed to read. True: it is failing from now on, and was not before.
  bool note(SectorRange unit, int error, std::uint64_t now_ns);
  // Units that are to be asked again now, `most` of them; of those, the ones that wait longest.
  [[nodiscard]] std::vector<SectorRange> due(std::uint64_t now_ns, std::size_t most) const;
  // It was asked and failed again. True: the device has said for good that it is unreadable.
  bool note_again(SectorRange unit, int error, std::uint64_t now_ns);
  // The device could not be asked: nothing is concluded, and it is asked again soon.
  void put_off(SectorRange unit, std::uint64_t now_ns);
  // The sectors have another state or place now, or read well.
  void clear(SectorRange range);
  void on_table(const table::Table& /*table*/, std::span<const SectorRange> changed) override {
    for (const SectorRange& range : changed) clear(range);
  }

 private:
  struct Account {
    std::uint64_t count = 0;  // sectors of the unit
    std::uint64_t due_ns = 0;
    unsigned asks = 0;
    int error = 0;
    unsigned media_errors = 0;         // in a row, up to now
    std::uint64_t media_since_ns = 0;  // the first of them
  };
  [[nodiscard]] std::uint64_t delay_ns(unsigned asks) const;
  void count(Account& account, int error, std::uint64_t now_ns) const;

  const std::uint64_t recheck_ns_;
  std::atomic<std::size_t> size_{0};
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Account> accounts_;  // by the unit's first sector; disjoint
};

}  // namespace dmremap::remap
