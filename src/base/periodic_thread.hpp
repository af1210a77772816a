// SPDX-License-Identifier: GPL-2.0-or-later
// A thread that does something again and again until it is stopped.
#pragma once

#include <chrono>
#include <functional>

#include "base/scheduling.hpp"

namespace dmremap {

// start(), stop() and go_on() are not called at the same time.
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
  // next. It must not throw. Call once, when all that it uses is made. `name` is kept.
  void start(const char* name, std::function<void()> body);
  // Waits for the call that is under way; there is none after that. Does nothing a second time.
  void stop();
  // After start() and stop(): starts it again, with the same. Does nothing where it runs, or where
  // it was never started.
  void go_on();

 private:
  void begin();
  void loop();

  Scheduling& scheduling_;
  const std::chrono::nanoseconds interval_;
  const First first_;
  const char* name_ = nullptr;  // null: never started
  std::function<void()> body_;
  Mutex mutex_;
  Condition wake_;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace dmremap
