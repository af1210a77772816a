// SPDX-License-Identifier: GPL-2.0-or-later
// The events of a set, oldest first: the last ones of earlier runs from the metadata, then this
// run's. Gives each event its number and time, and wakes the threads that wait for new ones.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "base/clock.hpp"
#include "format/event.hpp"
#include "remap/engine.hpp"

namespace dmremap::set {

// Thread-safe. Bounded memory: beyond kKept events the oldest go.
class EventLog final : public remap::Observer {
 public:
  static constexpr std::size_t kKept = 4096;

  EventLog(Clock& clock, const format::Health& stored);

  void on_event(format::Event event) override;
  // Puts the last events that the metadata keeps, and the next number, into `health`.
  void fill_health(format::Health& health) override;

  // The events with a number greater than `after`, oldest first.
  [[nodiscard]] std::vector<format::Event> since(std::uint64_t after) const;
  // As since, but waits up to `timeout` for the first one.
  [[nodiscard]] std::vector<format::Event> wait_since(std::uint64_t after,
                                                      std::chrono::milliseconds timeout);

 private:
  template <typename Condition>
  [[nodiscard]] std::vector<format::Event> last_of(std::size_t most,
                                                   const Condition& condition) const;
  [[nodiscard]] std::vector<format::Event> since_locked(std::uint64_t after) const;

  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<format::Event> events_;
  std::uint64_t next_number_;
};

}  // namespace dmremap::set
