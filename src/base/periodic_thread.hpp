// SPDX-License-Identifier: GPL-2.0-or-later
// A thread that does something again and again until it is stopped.
#pragma once

#include <chrono>
#include <functional>

#include "base/scheduling.hpp"

namespace dmremap {

// start() and stop() belong to one thread.
class PeriodicThread {
 public:
  enum class First { at_once, after_interval };

  // `scheduling` outlives this.
  PeriodicThread(Scheduling& scheduling, std::chrono::nanoseconds interval, First first)
      : scheduling_(scheduling),
        interval_(interval),
        first_(first),
        mutex_(scheduling),
        wake_(scheduling) {}
  ~PeriodicThread() { stop(); }
  PeriodicThread(const PeriodicThread&) = delete;
  PeriodicThread& operator=(const PeriodicThread&) = delete;

  // From now on a thread of that name calls `body`, with `interval` from the end of one call to the
  // next. It must not throw. Call once, when all that it uses is made.
  void start(const char* name, std::function<void()> body);
  // Waits for the call that is under way; there is none after that. Does nothing a second time.
  void stop();

 private:
  void loop(const char* name);

  Scheduling& scheduling_;
  const std::chrono::nanoseconds interval_;
  const First first_;
  std::function<void()> body_;
  Mutex mutex_;
  Condition wake_;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace dmremap
