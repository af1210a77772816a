// SPDX-License-Identifier: GPL-2.0-or-later
// The regions of a kernel target as the engine wants them: the engine's direct path
// (remap/direct_path.hpp). The target sends requests to clear regions to main by itself, and all
// others to the engine. docs/kernel.md has the rules of order; this keeps those that are about
// messages:
//
//   - A region is cleared only while this object is locked, after the engine said that it is clean,
//     and no change is under way. Whoever needs it marked has published that before, and then marks
//     under the same lock: either the clearing sees what was published, or the marking comes after
//     the clearing.
//   - What this object does not know to be marked counts as clear: a message that failed may have
//     been obeyed.
//   - A table that somebody else has loaded in the place of ours begins with all regions marked,
//     and no request of the former one is under way any more. It is attached to anew.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/periodic_thread.hpp"
#include "base/result.hpp"
#include "base/units.hpp"
#include "frontend/dm/target_control.hpp"
#include "remap/movable_direct_path.hpp"

namespace dmremap::dm {

// Thread-safe. Until a target is attached no request goes past the process.
class TargetRegions final : public remap::MovableDirectPath {
 public:
  explicit TargetRegions(SectorCount main_size);
  ~TargetRegions() { stop(); }

  // From now on this is about the target that `send` reaches, whatever its regions are.
  [[nodiscard]] Result<void> attach(TargetControl::Send send);
  // The target was removed: nothing goes past the process any more.
  void detach();
  // How follow_main() exchanges the table: for one over the main at that path and the engine device
  // of this process. Requests wait while it calls `in_between`; the former table lists then what
  // was written by it, and none is on its way any more. An error: the former table is there again.
  using Exchange =
      std::function<Result<void>(const std::string& main, const std::function<void()>& in_between)>;
  // The table that it is attached to is another one than it would make: for reaches_main().
  enum class Reach { main, elsewhere };
  void set_exchange(Exchange exchange);
  // While the table is being exchanged `elsewhere` means that it is to be exchanged once more.
  void set_reach(Reach reach);
  // All that was written past the process until `epoch` ended is durable.
  [[nodiscard]] Result<Epoch> end_epoch();
  [[nodiscard]] Result<void> settle(Epoch epoch);
  // True if a part of `range` may go past the process now.
  [[nodiscard]] bool lets_through(SectorRange range) const;
  [[nodiscard]] std::uint64_t marked_regions() const;

  // Begins to let through what is clean, and goes on until stop(). `is_clean` takes no lock and
  // outlives that.
  using IsClean = std::function<bool(SectorRange)>;
  void start(IsClean is_clean);
  void stop() { thread_.stop(); }
  // One round of it.
  void clear_clean();

  // MovableDirectPath
  [[nodiscard]] bool reaches_main() const override { return reach_ == Reach::main; }
  [[nodiscard]] Result<void> follow_main(
      io::BlockDevice& main, const std::function<void(SectorRange)>& note_unflushed) override;
  [[nodiscard]] bool withhold(SectorRange range) override;
  void keep(SectorRange range) override;
  void begin_change() override;
  void end_change() override;
  [[nodiscard]] std::optional<std::vector<SectorRange>> unflushed(
      Clock& clock, std::uint64_t deadline_ns) override;
  void settle_unflushed() override;
  [[nodiscard]] bool is_clear(SectorRange range) const override;
  [[nodiscard]] std::vector<SectorRange> take_slow(std::chrono::nanoseconds limit) override;
  [[nodiscard]] std::uint64_t writes() override;
  [[nodiscard]] std::uint64_t head_writes() override;
  [[nodiscard]] bool drain(SectorRange range, Clock& clock,
                           std::uint64_t deadline_ns) const override;
  // No request past the process reads from a spare.
  [[nodiscard]] std::uint64_t oldest() const override { return ~std::uint64_t{0}; }

 private:
  using Control = std::shared_ptr<const TargetControl>;
  // One bit a region.
  using Bits = std::vector<bool>;

  [[nodiscard]] SectorRange all() const { return {{0}, main_size_}; }
  // Attaches to the table that there is now, if it is another one. False: there is none to attach
  // to, though the device may be there.
  [[nodiscard]] bool attach_again_locked() const;
  // Nothing that an earlier table has said counts for the one that `control` is attached to, of
  // which all is marked.
  void begin_table_locked(Control control) const;
  // `reach_settings`: as they were before the table was made.
  [[nodiscard]] Result<void> settle_new_table(std::uint64_t reach_settings);
  void count_writes_locked();
  void note_dirty(const std::function<void(SectorRange)>& note_unflushed);
  [[nodiscard]] bool withhold_locked(SectorRange range) const;
  [[nodiscard]] std::vector<RegionRange> runs_locked(RegionRange in, const Bits& bits,
                                                     bool value) const;
  void set_locked(std::span<const RegionRange> ranges, Bits& bits, bool value) const;
  [[nodiscard]] SectorRange sectors_of(RegionRange regions) const;

  const SectorCount main_size_;
  mutable std::mutex mutex_;
  TargetControl::Send send_;
  mutable Control control_;            // null: none is attached
  std::optional<TargetControl> slow_;  // counts what was taken of the slow requests
  mutable Bits marked_;
  mutable Bits drained_;                 // since they were marked; a part of the marked ones
  mutable std::uint64_t clearings_ = 0;  // which may have made a drain that is under way void
  std::vector<SectorRange> kept_;
  Bits keeps_;  // the regions of kept_, once a target is attached
  unsigned changes_ = 0;
  mutable std::optional<Epoch> unflushed_until_;  // none: of a former table
  mutable std::optional<Epoch> counted_until_;    // none: of a former table
  std::uint64_t writes_ = 0;
  std::uint64_t head_writes_ = 0;
  IsClean is_clean_;
  Exchange exchange_;
  std::atomic<Reach> reach_{Reach::main};
  std::uint64_t reach_settings_ = 0;  // calls of set_reach()
  PeriodicThread thread_;             // ends first
};

}  // namespace dmremap::dm
