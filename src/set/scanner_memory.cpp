// SPDX-License-Identifier: GPL-2.0-or-later
// What the scanner lets the next run know, and when.
#include "base/units.hpp"
#include "set/scanner.hpp"

namespace dmremap::set {

namespace {

// What was read is remembered by a commit of its own so often, and by one that is made anyway so
// long after the last time: it is a block more in each copy.
constexpr std::uint64_t kRememberEveryNs = 60 * kSecondNs;
constexpr std::uint64_t kCarryEveryNs = 30 * kSecondNs;

}  // namespace

ScanMemory Scanner::memory() const {
  const std::lock_guard lock(mutex_);
  return memory_locked();
}

std::optional<ScanMemory> Scanner::memory_for_commit() {
  const Lock lock(mutex_, std::try_to_lock);
  if (!lock || !read_unremembered_) return std::nullopt;
  const std::uint64_t now_ns = parts_.clock->monotonic_ns();
  if (now_ns < remembered_at_ns_ + kCarryEveryNs) return std::nullopt;
  // If that commit fails, what was read since is read again at the worst.
  note_remembered(now_ns);
  return memory_locked();
}

ScanMemory Scanner::memory_locked() const {
  ScanMemory out;
  out.scan.paused = paused_;
  out.scan.rate = policy_.rate;
  out.scan.window_from = static_cast<std::uint16_t>(policy_.window.from);
  out.scan.window_to = static_cast<std::uint16_t>(policy_.window.to);
  health::ScanRecord record = order_.record();
  if (asked_for_) {
    record.wish = at_full_speed_ ? health::PassWish::full_speed : health::PassWish::paced;
  }
  out.scan.record = health::encode_scan_record(record);
  out.latency.profile = health::pack_latency_profile(latency_profile_);
  return out;
}

Result<void> Scanner::remember() {
  if (!parts_.remember) return {};
  // What was taken first must not be committed last: a pause would be forgotten.
  const std::lock_guard alone(remembering_);
  return parts_.remember(memory());
}

void Scanner::note_remembered(std::uint64_t now_ns) {
  passes_remembered_ = order_.passes();
  read_unremembered_ = false;
  remembered_at_ns_ = now_ns;
}

void Scanner::tell_passes() {
  const health::ScanRecord record = order_.record();
  status_.passes = record.passes;
  status_.last_complete_s = record.last_complete_wall_s;
}

void Scanner::remember_at_times(Lock& lock) {
  if (stopping_) return;
  const std::uint64_t now_ns = parts_.clock->monotonic_ns();
  const bool is_pass_over = order_.passes() != passes_remembered_;
  if (read_unremembered_ && (is_pass_over || now_ns >= remembered_at_ns_ + kRememberEveryNs)) {
    note_remembered(now_ns);
    lock.unlock();
    // A crash before this commit leaves the pass as it was last remembered, and what was read since
    // is read again. So the end of a pass is told only now.
    (void)remember();
    lock.lock();
  }
  tell_passes();
}

}  // namespace dmremap::set
