// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/target_regions.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/log.hpp"
#include "remap/head_writes.hpp"

namespace dmremap::dm {

namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kClearEvery{1};
// A drain is asked for again and again, so that a table can be exchanged in between.
constexpr milliseconds kDrainStep{2'000};

}  // namespace

TargetRegions::TargetRegions(SectorCount main_size)
    : main_size_(main_size),
      thread_(system_scheduling(), kClearEvery, PeriodicThread::First::at_once) {}

Result<void> TargetRegions::attach(TargetControl::Send send) {
  const std::lock_guard lock(mutex_);
  auto control = TargetControl::attach(send);
  if (!control) return failure_of(control);
  const Hello& table = control->table();
  const std::uint64_t sectors = table.region_sectors.value;
  if ((main_size_.value + sectors - 1) / sectors != table.regions) {
    return fail(ErrorCode::protocol, "the kernel target is not as large as main");
  }
  const auto marked = control->marked();
  if (!marked) return failure_of(marked);
  const auto epochs = control->end_epoch();
  if (!epochs) return failure_of(epochs);
  send_ = std::move(send);
  control_ = std::make_shared<const TargetControl>(std::move(*control));
  marked_.assign(table.regions, false);
  drained_.assign(table.regions, false);
  keeps_.assign(table.regions, false);
  set_locked(*marked, marked_, true);
  counted_until_ = epochs->ended;
  for (const SectorRange& range : kept_) {
    const RegionRange regions = control_->regions_of(range);
    set_locked({&regions, 1}, keeps_, true);
    if (!withhold_locked(range)) return fail(ErrorCode::io, "the kernel target takes no marks");
  }
  return {};
}

void TargetRegions::detach() {
  const std::lock_guard lock(mutex_);
  control_ = nullptr;
}

bool TargetRegions::attach_again_locked() const {
  const auto control = TargetControl::attach(send_);
  // A device that is not there sends nothing anywhere, and never comes back: its users are gone.
  const bool is_gone = !control && control.error().code == ErrorCode::no_such_device;
  const bool is_new = control && control->table().table != control_->table().table &&
                      control->table().regions == control_->table().regions;
  if (!is_gone && !is_new) return false;
  if (is_new) {
    log(Severity::warning, "the table of the kernel target was exchanged: all goes by the engine");
    begin_table_locked(std::make_shared<const TargetControl>(*control));
    return true;
  }
  std::fill(marked_.begin(), marked_.end(), true);
  std::fill(drained_.begin(), drained_.end(), true);
  return true;
}

void TargetRegions::begin_table_locked(Control control) const {
  control_ = std::move(control);
  counted_until_.reset();
  unflushed_until_.reset();
  std::fill(marked_.begin(), marked_.end(), true);
  std::fill(drained_.begin(), drained_.end(), true);
}

void TargetRegions::set_exchange(Exchange exchange) {
  const std::lock_guard lock(mutex_);
  exchange_ = std::move(exchange);
}

void TargetRegions::set_reach(Reach reach) {
  const std::lock_guard lock(mutex_);
  reach_ = reach;
  ++reach_settings_;
}

// The table is suspended: no write is on its way. If it does not say what was written, all was.
void TargetRegions::note_dirty(const std::function<void(SectorRange)>& note_unflushed) {
  // While it can be told, for those who count writes.
  (void)writes();
  const std::lock_guard lock(mutex_);
  const auto dirty = control_ ? control_->dirty() : std::vector<RegionRange>{};
  if (!dirty) return note_unflushed(all());
  for (const RegionRange& regions : *dirty) note_unflushed(sectors_of(regions));
}

// The exchange waits for requests that the engine has, and the engine may have to mark for them: so
// no lock is held. Nothing is cleared meanwhile, for the caller has begun a change.
//
// A kill before the table is live leaves the former one, perhaps suspended: the next start has it
// resumed, and exchanges it. A kill after it leaves the new one, all of it dirty; what was dirty
// before is noted twice.
Result<void> TargetRegions::follow_main(io::BlockDevice& main,
                                        const std::function<void(SectorRange)>& note_unflushed) {
  Exchange exchange;
  std::uint64_t reach_settings = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!control_ || !exchange_) return fail(ErrorCode::not_supported, "the target is not ours");
    exchange = exchange_;
    reach_settings = reach_settings_;
  }
  if (auto led = exchange(main.path(), [&] { note_dirty(note_unflushed); }); !led) return led;
  return settle_new_table(reach_settings);
}

// Nothing has been written past this process by it, and what was before is noted.
Result<void> TargetRegions::settle_new_table(std::uint64_t reach_settings) {
  const std::lock_guard lock(mutex_);
  auto control = TargetControl::attach(send_);
  if (!control) return failure_of(control);
  if (control->table().regions != marked_.size()) {
    return fail(ErrorCode::protocol, "the kernel target has another number of regions");
  }
  begin_table_locked(std::make_shared<const TargetControl>(std::move(*control)));
  const auto epochs = control_->end_epoch();
  if (!epochs) return failure_of(epochs);
  counted_until_ = epochs->ended;
  if (auto settled = control_->settle(epochs->ended); !settled) return settled;
  // What was set meanwhile, the table was made without.
  if (reach_settings == reach_settings_) reach_ = Reach::main;
  return {};
}

Result<Epoch> TargetRegions::end_epoch() {
  const std::lock_guard lock(mutex_);
  const auto epochs = control_->end_epoch();
  return epochs ? Result<Epoch>(epochs->ended) : failure_of(epochs);
}

Result<void> TargetRegions::settle(Epoch epoch) {
  const std::lock_guard lock(mutex_);
  return control_->settle(epoch);
}

bool TargetRegions::is_clear(SectorRange range) const {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  return lock.owns_lock() && control_ && !range.empty() &&
         runs_locked(control_->regions_of(range), marked_, true).empty();
}

std::vector<SectorRange> TargetRegions::take_slow(std::chrono::nanoseconds limit) {
  const std::lock_guard lock(mutex_);
  if (!control_) return {};
  if (!slow_ || slow_->table().table != control_->table().table) slow_.emplace(*control_);
  std::vector<SectorRange> out;
  const auto taken = slow_->take_slow(std::chrono::duration_cast<milliseconds>(limit));
  if (!taken) return out;
  for (const SlowRequest& request : *taken) out.push_back(request.range.intersect(all()));
  return out;
}

bool TargetRegions::lets_through(SectorRange range) const {
  const std::lock_guard lock(mutex_);
  return control_ && !runs_locked(control_->regions_of(range), marked_, false).empty();
}

std::uint64_t TargetRegions::marked_regions() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint64_t>(std::count(marked_.begin(), marked_.end(), true));
}

std::vector<RegionRange> TargetRegions::runs_locked(RegionRange in, const Bits& bits,
                                                    bool value) const {
  std::vector<RegionRange> out;
  for (std::uint32_t region = in.first; region < in.first + in.count; ++region) {
    if (bits[region] != value) continue;
    if (!out.empty() && out.back().first + out.back().count == region) {
      ++out.back().count;
    } else {
      out.push_back({region, 1});
    }
  }
  return out;
}

void TargetRegions::set_locked(std::span<const RegionRange> ranges, Bits& bits, bool value) const {
  for (const RegionRange& range : ranges) {
    std::fill_n(bits.begin() + range.first, range.count, value);
  }
}

SectorRange TargetRegions::sectors_of(RegionRange regions) const {
  const std::uint64_t sectors = control_->table().region_sectors.value;
  return SectorRange{{regions.first * sectors}, {regions.count * sectors}}.intersect(all());
}

bool TargetRegions::withhold_locked(SectorRange range) const {
  if (!control_) return true;
  const auto clear = runs_locked(control_->regions_of(range), marked_, false);
  if (clear.empty()) return true;
  if (const auto marked = control_->mark(clear); !marked) {
    if (attach_again_locked()) return true;
    log(Severity::error, "not marked: " + marked.error().message());
    return false;
  }
  set_locked(clear, marked_, true);
  return true;
}

bool TargetRegions::withhold(SectorRange range) {
  const std::lock_guard lock(mutex_);
  return withhold_locked(range);
}

void TargetRegions::keep(SectorRange range) {
  const std::lock_guard lock(mutex_);
  kept_.push_back(range);
  if (!control_) return;
  const RegionRange regions = control_->regions_of(range);
  set_locked({&regions, 1}, keeps_, true);
  (void)withhold_locked(range);
}

void TargetRegions::begin_change() {
  const std::lock_guard lock(mutex_);
  ++changes_;
}

void TargetRegions::end_change() {
  const std::lock_guard lock(mutex_);
  --changes_;
}

// Marks first: what is under way and fails comes through this process then. The wait is outside the
// lock, for a disk may take a minute.
bool TargetRegions::drain(SectorRange range, Clock& clock, std::uint64_t deadline_ns) const {
  for (;;) {
    Control control;
    std::vector<RegionRange> undrained;
    std::uint64_t clearings = 0;
    {
      const std::lock_guard lock(mutex_);
      if (!control_) return true;
      if (!withhold_locked(range)) return false;
      undrained = runs_locked(control_->regions_of(range), drained_, false);
      if (undrained.empty()) return true;
      control = control_;
      clearings = clearings_;
    }
    const std::uint64_t now_ns = clock.monotonic_ns();
    const auto left = std::chrono::duration_cast<milliseconds>(
        std::chrono::nanoseconds(deadline_ns > now_ns ? deadline_ns - now_ns : 0));
    const auto drained = control->drain(undrained, std::min(left, kDrainStep));
    const std::lock_guard lock(mutex_);
    if (drained) {
      // Who let a region of them through meanwhile had no word of what this caller published.
      if (clearings == clearings_ && control == control_) set_locked(undrained, drained_, true);
      return true;
    }
    const bool is_late = drained.error().code == ErrorCode::timeout;
    if (is_late && left <= kDrainStep) return false;
    if (!is_late && control == control_ && !attach_again_locked()) {
      log(Severity::error, "not drained: " + drained.error().message());
      return false;
    }
  }
}

void TargetRegions::start(IsClean is_clean) {
  is_clean_ = std::move(is_clean);
  thread_.start("dm-regions", [this] { clear_clean(); });
}

void TargetRegions::clear_clean() {
  const std::lock_guard lock(mutex_);
  if (!control_ || changes_ > 0) return;
  std::vector<RegionRange> clean;
  const RegionRange whole{0, control_->table().regions};
  for (const RegionRange& run : runs_locked(whole, marked_, true)) {
    for (std::uint32_t region = run.first; region < run.first + run.count; ++region) {
      if (keeps_[region] || !is_clean_(sectors_of({region, 1}))) continue;
      if (!clean.empty() && clean.back().first + clean.back().count == region) {
        ++clean.back().count;
      } else {
        clean.push_back({region, 1});
      }
    }
  }
  if (clean.empty()) return;
  // Before the message: whether it was obeyed is not known if it fails.
  ++clearings_;
  set_locked(clean, marked_, false);
  set_locked(clean, drained_, false);
  if (const auto cleared = control_->clear(clean); !cleared) {
    if (!attach_again_locked()) log(Severity::warning, "not cleared: " + cleared.error().message());
  }
}

// All is marked and drained, so that no write ends later that the failed flush may have lost, and
// the list of what is dirty is complete.
std::optional<std::vector<SectorRange>> TargetRegions::unflushed(Clock& clock,
                                                                 std::uint64_t deadline_ns) {
  begin_change();
  struct End {
    TargetRegions& of;
    ~End() { of.end_change(); }
  } const end{*this};
  if (!drain(all(), clock, deadline_ns)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (!control_) return std::vector<SectorRange>{};
  const auto epochs = control_->end_epoch();
  if (!epochs) return std::nullopt;
  const auto dirty = control_->dirty();
  if (!dirty) return std::nullopt;
  unflushed_until_ = epochs->ended;
  std::vector<SectorRange> out;
  for (const RegionRange& regions : *dirty) out.push_back(sectors_of(regions));
  return out;
}

void TargetRegions::settle_unflushed() {
  const std::lock_guard lock(mutex_);
  if (!control_ || !unflushed_until_) return;
  // Else they stay dirty: they are read back once more after the next flush that fails.
  if (const auto settled = control_->settle(*unflushed_until_); !settled) {
    log(Severity::warning, "not settled: " + settled.error().message());
  }
  unflushed_until_.reset();
}

std::uint64_t TargetRegions::writes() {
  const std::lock_guard lock(mutex_);
  count_writes_locked();
  return writes_;
}

std::uint64_t TargetRegions::head_writes() {
  const std::lock_guard lock(mutex_);
  count_writes_locked();
  return head_writes_;
}

void TargetRegions::count_writes_locked() {
  if (!control_) return;
  using First = std::optional<RegionRange>;
  const RegionRange head =
      control_->regions_of(SectorRange{{0}, remap::HeadWrites::kHead}.intersect(all()));
  // In this order: a write that ends in between is counted now, and once more the next time.
  const auto epochs = control_->end_epoch();
  // Of a table that was never asked: all may have been written.
  auto first = epochs ? Result<First>(head) : failure_of(epochs);
  if (epochs && counted_until_) first = control_->first_written_after(*counted_until_);
  if (first) {
    counted_until_ = epochs->ended;
    if (!*first) return;
  } else {
    // It cannot be told: as if there had been one, there too.
    (void)attach_again_locked();
  }
  ++writes_;
  if (!first || (*first)->first < head.first + head.count) ++head_writes_;
}

}  // namespace dmremap::dm
