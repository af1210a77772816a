// SPDX-License-Identifier: GPL-2.0-or-later
// The one way to settle the fate of sectors other than by a user's write: quiesce them (hold writes
// off and drain what is in flight), look at them again, and bind them to another state.
//
// A relocation, a failed read that finds a sector lost, a list of known-bad sectors: each decides
// by what it read or was told earlier, and a user may have written since. So quiesce() does these
// steps, always in this order, and ends at the first that fails:
//
//   1  Does the set take changes?    No: read_only. Nothing was waited for.
//   2  Is main there, if needed?     No: tripped. Nothing was waited for.
//   3  Is a write overdue there?     Yes: timeout. Nothing was waited for.
//   4  Hold the ranges, as one.      Waits for every holder of a part of them, without a deadline:
//                                    each lets go by a deadline of its own. From here on writes,
//                                    zeroes and discards that overlap wait; reads go on.
//   5  Drain what began before.      A request still in flight at the deadline: timeout.
//   6  Ask 1, 2 and 3 once more.     The wait may have been long: refused as above.
//   7  Take a copy of the table.     What it says of the ranges is final: only the holder can have
//                                    them bound to anything else.
//
// On any failure the ranges are let go of again, and nothing has changed. The caller then reads
// what it has to, and calls bind(). The holds end with the object. A crash at any step before the
// remapper's commit leaves the table as it was (remapper.hpp).
//
// Reading a bad sector may take a drive a minute, for which no write should wait. A caller that has
// to read such sectors takes a WatchedRange first, reads, and only then quiesces the range: if the
// watch was not disturbed, what it read is as good as read while nothing could write.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "remap/data_path.hpp"
#include "remap/writer/remapper.hpp"
#include "table/live_table.hpp"

namespace dmremap::remap {

// Whether the change can be made while the breaker is open. If only some items of it need main, say
// `no`: the remapper refuses those that do.
enum class NeedsMain { no, yes };

enum class QuiesceFailure { read_only, tripped, timeout };
// As an error of the operation that an administrator asked for.
[[nodiscard]] tl::unexpected<Error> error_of(QuiesceFailure failure, const DataPath& path);

// Steps 1 and 2 alone: why nothing can be changed now.
[[nodiscard]] std::optional<QuiesceFailure> why_not_quiesce(const DataPath& path,
                                                            NeedsMain needs_main);

// Ranges of main that nobody writes to and nobody else settles, for as long as this lives.
class QuiescedRange {
 public:
  // Every write outside the clean regions looks through all holds; more ranges than this are held
  // together with the gaps between them.
  static constexpr std::size_t kMostHolds = 256;

  // As it was when the ranges came to rest.
  [[nodiscard]] const table::Table& table() const { return table_; }

  // Has the remapper make the change, all of it or nothing, and waits until it is durable and
  // published. Without items there is nothing to do: done. Requires items inside the ranges, and
  // none of kind `store`, which belongs to user writes.
  [[nodiscard]] Outcome bind(std::span<const Item> items);

 private:
  friend tl::expected<QuiescedRange, QuiesceFailure> quiesce(DataPath& path, Remapper& remapper,
                                                             std::vector<SectorRange> ranges,
                                                             NeedsMain needs_main,
                                                             std::uint64_t deadline_ns);
  QuiescedRange(Remapper& remapper, std::vector<SectorRange> ranges, table::LiveTable::Hold hold,
                table::Table table)
      : remapper_(&remapper),
        ranges_(std::move(ranges)),
        hold_(std::move(hold)),
        table_(std::move(table)) {}

  [[nodiscard]] bool covers(SectorRange range) const;

  Remapper* remapper_;
  std::vector<SectorRange> ranges_;  // sorted, no two touch
  table::LiveTable::Hold hold_;
  table::Table table_;
};

// The steps above. `ranges` in any order; they may overlap. The caller has no pin and no other
// QuiescedRange. Without a deadline: by that of a request that came now.
[[nodiscard]] tl::expected<QuiescedRange, QuiesceFailure> quiesce(DataPath& path,
                                                                  Remapper& remapper,
                                                                  std::vector<SectorRange> ranges,
                                                                  NeedsMain needs_main,
                                                                  std::uint64_t deadline_ns);
[[nodiscard]] tl::expected<QuiescedRange, QuiesceFailure> quiesce(DataPath& path,
                                                                  Remapper& remapper,
                                                                  std::vector<SectorRange> ranges,
                                                                  NeedsMain needs_main);

enum class WatchFailure {
  watched,  // another reader watches a part of it
  timeout,  // a request that began before is still in flight
};

// A range that is read while writes to it go on, and are noticed.
class WatchedRange {
 public:
  // Watches, then drains what began before, so that no write escapes notice. The caller has no pin.
  [[nodiscard]] static tl::expected<WatchedRange, WatchFailure> begin(DataPath& path,
                                                                      SectorRange range,
                                                                      std::uint64_t deadline_ns);

  [[nodiscard]] SectorRange range() const { return watch_.range(); }
  // What the table said when the watch began.
  [[nodiscard]] const table::Table& table() const { return table_; }
  // True if no write came since, and `now` says the same of every sector of the range. Requires
  // that the range is part of `now`.
  [[nodiscard]] bool is_undisturbed(const QuiescedRange& now) const;

 private:
  WatchedRange(table::LiveTable::Watch watch, table::Table table)
      : watch_(std::move(watch)), table_(std::move(table)) {}

  table::LiveTable::Watch watch_;
  table::Table table_;
};

}  // namespace dmremap::remap
