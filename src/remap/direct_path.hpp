// SPDX-License-Identifier: GPL-2.0-or-later
// Requests of users that reach main past this process: a kernel target sends them there by itself,
// where it was told that there is nothing to say about main (docs/kernel.md).
//
// What this process may conclude then, it may only about what it has withheld: requests that begin
// later come through it and see what it has published. What is withheld is let through again once
// the engine says that it is clean, and no change is under way.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/units.hpp"
#include "table/live_table.hpp"

namespace dmremap::remap {

// Thread-safe. Of a PinSource: drain() withholds the range, and then waits for what is under way.
class DirectPath : public table::PinSource {
 public:
  // Requests that touch `range` and begin from now on come through this process. Does not wait for
  // those under way. False: it cannot be had, and nothing may be concluded.
  [[nodiscard]] virtual bool withhold(SectorRange range) = 0;
  // The same for the rest of the run: what is known of the contents there must stay true.
  virtual void keep(SectorRange range) = 0;

  // While there are changes under way, what is withheld stays so, clean or not.
  virtual void begin_change() = 0;
  virtual void end_change() = 0;

  // After a flush of main that failed: the regions that were written past this process and that no
  // flush has made durable. All of main is withheld and drained before, so that none is missing.
  // Nothing: it cannot be told by `deadline_ns`.
  [[nodiscard]] virtual std::optional<std::vector<SectorRange>> unflushed(
      Clock& clock, std::uint64_t deadline_ns) = 0;
  // What became of those of the last unflushed() is settled.
  virtual void settle_unflushed() = 0;

  // A request that came through this process although it need not, as far as can be told without
  // waiting: it was sent here because main had failed it.
  [[nodiscard]] virtual bool is_clear(SectorRange range) const = 0;

  // Where requests to main past this process took longer than that, since the last call.
  [[nodiscard]] virtual std::vector<SectorRange> take_slow(std::chrono::nanoseconds limit) = 0;

  // Another number than before if main was written past this process since. What is under way
  // counts when it ends.
  [[nodiscard]] virtual std::uint64_t writes() = 0;
  // The same of the regions that the head of main lies in (head_writes.hpp).
  [[nodiscard]] virtual std::uint64_t head_writes() = 0;

 protected:
  ~DirectPath() = default;
};

// A change of the table that is under way, for as long as it exists.
class DirectChange {
 public:
  explicit DirectChange(DirectPath* path) : path_(path) {
    if (path_ != nullptr) path_->begin_change();
  }
  DirectChange(const DirectChange&) = delete;
  DirectChange& operator=(const DirectChange&) = delete;
  ~DirectChange() {
    if (path_ != nullptr) path_->end_change();
  }

 private:
  DirectPath* path_;
};

}  // namespace dmremap::remap
