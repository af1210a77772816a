// SPDX-License-Identifier: GPL-2.0-or-later
// The observer of a running set's engine: each event goes to the set's event log and to the
// daemon's log, and each commit gets the health counters of the set's whole life, and takes along
// what others want remembered.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "format/event.hpp"
#include "remap/engine.hpp"
#include "set/event_log.hpp"

namespace dmremap::set {

// Thread-safe.
class EventRecorder final : public remap::Observer {
 public:
  // `events` outlives the recorder. `stored` has the counters of all runs before this one.
  EventRecorder(EventLog& events, std::string name, const format::Health& stored);

  // From now on the counters include those of this engine, which must outlive all later calls.
  void count_with(const remap::Admin& engine) { engine_.store(&engine); }

  // From now on each commit takes along what `carry` puts into its records; empty: nothing. When
  // this returns, what was set before is not called any more.
  void carry_with(std::function<void(format::Records&)> carry);

  void on_event(format::Event event) override;
  void fill_health(format::Health& health) override;
  void fill_records(format::Records& records) override;

 private:
  EventLog& events_;
  std::string name_;
  // The metadata has the counts of the set's whole life, but the engine counts this run alone:
  // these are the counts before it.
  const std::uint64_t read_errors_;
  const std::uint64_t write_errors_;
  std::atomic<const remap::Admin*> engine_ = nullptr;  // null until the engine has started
  std::mutex mutex_;
  std::function<void(format::Records&)> carry_;
};

}  // namespace dmremap::set
