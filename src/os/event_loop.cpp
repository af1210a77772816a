// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/event_loop.hpp"

#include <csignal>
#include <cstdint>
#include <exception>
#include <utility>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <systemd/sd-event.h>
#include <time.h>

namespace dmremap::os {

namespace {

Result<void> checked(int result) {
  if (result < 0) return fail_errno(-result, "watch for events", {});
  return {};
}

}  // namespace

void EventLoop::Unref::operator()(sd_event* event) const {
  ::sd_event_unref(event);
}

Result<EventLoop> EventLoop::make() {
  sd_event* event = nullptr;
  if (auto made = checked(::sd_event_new(&event)); !made) return failure_of(made);
  return EventLoop(event);
}

EventLoop::Source& EventLoop::add(std::function<void(int)> handler) {
  return sources_.emplace_back(Source{state_.get(), std::move(handler), {}});
}

// No exception may pass through libsystemd, which is C.
void EventLoop::call(Source& source, int number) {
  try {
    source.handler(number);
  } catch (const std::exception& error) {
    source.state->failure = Error{ErrorCode::internal, error.what(), {}, "report this"};
    source.state->ended = true;
  }
}

Result<void> EventLoop::on_readable(int fd, std::function<void()> handler) {
  Source& source = add([handler = std::move(handler)](int) { handler(); });
  const auto called = [](sd_event_source*, int, std::uint32_t, void* data) {
    call(*static_cast<Source*>(data), 0);
    return 0;
  };
  return checked(::sd_event_add_io(event_.get(), nullptr, fd, EPOLLIN, called, &source));
}

Result<void> EventLoop::on_signals(std::initializer_list<int> numbers,
                                   std::function<void(int)> handler) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) ::sigaddset(&set, number);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return fail_errno(error, "block signals", {});
  }
  Source& source = add(std::move(handler));
  const auto called = [](sd_event_source*, const signalfd_siginfo* info, void* data) {
    call(*static_cast<Source*>(data), static_cast<int>(info->ssi_signo));
    return 0;
  };
  for (const int number : numbers) {
    auto added = checked(::sd_event_add_signal(event_.get(), nullptr, number, called, &source));
    if (!added) return added;
  }
  return {};
}

Result<void> EventLoop::every(std::chrono::milliseconds period, std::function<void()> handler) {
  Source& source = add([handler = std::move(handler)](int) { handler(); });
  source.period = period;
  const auto microseconds = static_cast<std::uint64_t>(source.period.count());
  const auto called = [](sd_event_source* timer, std::uint64_t, void* data) {
    auto& fired = *static_cast<Source*>(data);
    call(fired, 0);
    // A timer of sd-event fires once.
    ::sd_event_source_set_time_relative(timer, static_cast<std::uint64_t>(fired.period.count()));
    return ::sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
  };
  return checked(::sd_event_add_time_relative(event_.get(), nullptr, CLOCK_MONOTONIC, microseconds,
                                              0, called, &source));
}

Result<void> EventLoop::run() {
  state_->ended = false;
  while (!state_->ended) {
    if (auto ran = checked(::sd_event_run(event_.get(), UINT64_MAX)); !ran) return ran;
  }
  if (state_->failure) return tl::unexpected(*state_->failure);
  return {};
}

}  // namespace dmremap::os
