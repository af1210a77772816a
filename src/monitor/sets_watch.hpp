// SPDX-License-Identifier: GPL-2.0-or-later
// Watches all sets of a runtime directory: those that run, those whose process died, and those that
// are started later. Each has a thread of its own, so that one that does not answer holds up no
// other.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "control/runtime_dir.hpp"
#include "monitor/event_stream.hpp"
#include "monitor/set_look.hpp"

namespace dmremap::monitor {

// What a watch tells. Never called by two threads at the same time, and not after the watch ended.
// Calls are to be short: the other sets wait.
class SetsObserver {
 public:
  virtual ~SetsObserver() = default;
  // Events of a set in their order.
  virtual void on_events(const std::string& name, const EventBatch& batch) = 0;
  // At least every few seconds, and soon after each event; also of a set that was stopped.
  // `look.events` are those since the last look that are no history.
  virtual void on_look(const SetLook& look) = 0;
};

class SetsWatch {
 public:
  // The observer outlives the watch.
  SetsWatch(control::RuntimeDir runtime, DeathInWords death, SetsObserver& observer);
  // A thread that waits for a set that does not answer is left behind; it calls nobody any more.
  ~SetsWatch();
  SetsWatch(const SetsWatch&) = delete;
  SetsWatch& operator=(const SetsWatch&) = delete;

  // Takes up sets that are new in the runtime directory. To be called every second or two.
  void find_sets();

 private:
  struct Shared;
  class Follower;

  std::shared_ptr<Shared> shared_;
  std::map<std::string, std::shared_ptr<std::atomic<bool>>> done_by_name_;
};

}  // namespace dmremap::monitor
