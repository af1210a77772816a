// SPDX-License-Identifier: GPL-2.0-or-later
// Waits for several things at once: descriptors, signals, time (sd-event(3)).
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <list>
#include <memory>
#include <optional>

#include "base/result.hpp"

struct sd_event;

namespace dmremap::os {

// Used by one thread at a time, and only in the process that made it, so make it after a fork.
// Handlers run inside run(), one after the other. An exception from a handler ends the loop with an
// error.
class EventLoop {
 public:
  [[nodiscard]] static Result<EventLoop> make();

  // Calls `handler` repeatedly while there is something to read, which the handler must take; also
  // at an end of file. The descriptor outlives the loop.
  [[nodiscard]] Result<void> on_readable(int fd, std::function<void()> handler);
  // Blocks these signals in this thread and in those it starts from now on: make the loop first.
  [[nodiscard]] Result<void> on_signals(std::initializer_list<int> numbers,
                                        std::function<void(int)> handler);
  // Calls `handler` every `period`, the first time after one period.
  [[nodiscard]] Result<void> every(std::chrono::milliseconds period, std::function<void()> handler);

  // Runs until a handler calls end(). May be run again.
  [[nodiscard]] Result<void> run();
  void end() { state_->ended = true; }

 private:
  // The state that callbacks of sd-event point to. It must not move.
  struct State {
    bool ended = false;
    std::optional<Error> failure;
  };
  struct Source {
    State* state = nullptr;
    std::function<void(int)> handler;  // the signal's number, or 0
    std::chrono::microseconds period{};
  };
  struct Unref {
    void operator()(sd_event* event) const;
  };

  explicit EventLoop(sd_event* event) : event_(event), state_(std::make_unique<State>()) {}
  Source& add(std::function<void(int)> handler);
  static void call(Source& source, int number);

  std::unique_ptr<sd_event, Unref> event_;
  std::unique_ptr<State> state_;
  std::list<Source> sources_;
};

}  // namespace dmremap::os
