// SPDX-License-Identifier: GPL-2.0-or-later
// Follows up what requests to the spares left as signs of trouble (spare_trouble.hpp), in a thread
// of its own, spare by spare: is it away, or does it refuse writes? A spare in trouble is asked
// again until it answers, and then what had to be refused meanwhile is possible again. A spare that
// gives no sign is tried once when the set has started and once a day, and is otherwise left alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/periodic_thread.hpp"
#include "remap/data_path.hpp"
#include "remap/device/spare_trial.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

class SpareWatch {
 public:
  // Starts the thread. `remapper` outlives this; null: the set takes no writes, and neither do
  // the spares: they are only read. `on_away` is called by the thread after each look that found a
  // spare away.
  SpareWatch(DataPath& path, Remapper* remapper, std::chrono::milliseconds interval,
             std::function<void()> on_away);
  void stop() { thread_.stop(); }
  // After stop().
  void go_on() { thread_.go_on(); }

 private:
  // What is known of one spare. The thread's.
  struct WatchedSpare {
    SpareDevice& spare;
    std::uint64_t signs_seen = 0;
    std::uint64_t next_look_ns = 0;  // of the one that needs no sign
    bool in_trouble = false;
  };
  [[nodiscard]] bool is_due(const WatchedSpare& watched) const;
  void look(WatchedSpare& watched);

  DataPath& path_;
  Remapper* const remapper_;
  const std::function<void()> on_away_;
  std::vector<WatchedSpare> watched_;
  PeriodicThread thread_;  // the last: it uses what is above
};

}  // namespace dmremap::remap
