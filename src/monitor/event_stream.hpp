// SPDX-License-Identifier: GPL-2.0-or-later
// The events of one set as they happen, also over the ends and starts of its process.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/client.hpp"
#include "control/messages.hpp"
#include "control/runtime_dir.hpp"

namespace dmremap::monitor {

struct EventBatch {
  std::vector<control::EventReport> events;
  bool is_history = false;  // what happened before the stream was opened
};

// Used by one thread.
class EventStream {
 public:
  EventStream(const control::RuntimeDir& runtime, const std::string& name)
      : socket_(runtime.socket(name)) {}

  // The next events, each once. Empty if none comes within `timeout`. Connects if it is not
  // connected. After an error the next call connects again; not_running: no process listens.
  Result<EventBatch> next(std::chrono::milliseconds timeout);

 private:
  Result<EventBatch> connect();
  // Leaves out what was given already.
  EventBatch unseen(std::vector<control::EventReport> events);

  const std::string socket_;
  std::optional<control::Client> client_;
  bool opened_ = false;
  std::uint64_t last_ = 0;  // the number of the last event that was given
};

}  // namespace dmremap::monitor
