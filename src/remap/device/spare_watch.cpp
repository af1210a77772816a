// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/spare_watch.hpp"

#include <cerrno>
#include <utility>

namespace dmremap::remap {

namespace {

constexpr std::chrono::nanoseconds kWithoutSign = std::chrono::hours(24);

SpareTrial trial_by_reading(SpareDevice& spare) {
  const io::Fault fault = spare.diagnose(EIO);
  return fault == io::Fault::device ? trial_of(fault, EIO) : SpareTrial{};
}

}  // namespace

SpareWatch::SpareWatch(DataPath& path, Remapper* remapper, std::chrono::milliseconds interval,
                       std::function<void()> on_away)
    : path_(path),
      remapper_(remapper),
      on_away_(std::move(on_away)),
      thread_(path.scheduling, interval, PeriodicThread::First::after_interval) {
  for (SpareDevice& spare : path_.spares) watched_.push_back({spare});
  thread_.start("spare-watch", [this] {
    for (WatchedSpare& watched : watched_) {
      if (is_due(watched)) look(watched);
    }
  });
}

bool SpareWatch::is_due(const WatchedSpare& watched) const {
  if (watched.in_trouble || watched.spare.trouble.signs() != watched.signs_seen) return true;
  // Without a sign nothing is written by a set that takes no writes, and nothing read.
  return remapper_ != nullptr && path_.clock.monotonic_ns() >= watched.next_look_ns;
}

void SpareWatch::look(WatchedSpare& watched) {
  SpareDevice& spare = watched.spare;
  // Whoever meets an error while this look goes on has it followed up by the next one.
  const std::uint64_t signs = spare.trouble.signs();
  const SpareTrial found = remapper_ != nullptr && path_.writable()
                               ? remapper_->run_trial(spare.index)
                               : trial_by_reading(spare);
  // The failures of the trial itself are signs as well, and need no look of their own.
  watched.signs_seen = signs + found.failures;
  watched.in_trouble = found.state != SpareState::answers;
  watched.next_look_ns =
      path_.clock.monotonic_ns() + static_cast<std::uint64_t>(kWithoutSign.count());
  spare.trouble.set(found.state, found.reason);
  if (found.state == SpareState::away) on_away_();
}

}  // namespace dmremap::remap
