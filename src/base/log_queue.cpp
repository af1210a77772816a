// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log_queue.hpp"

#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/thread_name.hpp"

namespace dmremap {

namespace {

// How long a thread waits for further lines before it ends.
constexpr std::chrono::seconds kIdle{5};

// What cannot be written is lost: a log that fails must not stop the set.
void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

// Shared with the thread, which may outlive the queue.
struct LogQueue::State {
  State(int descriptor, Thread thread) : fd(descriptor), is_kept(thread == Thread::kept) {
    pending.reserve(kCapacity);
    taken.reserve(kCapacity);
  }

  // Called with `mutex` held.
  void start(const std::shared_ptr<State>& self) {
    std::thread([self] { self->write_lines(); }).detach();
    is_running = true;
  }

  void write_lines() {
    name_this_thread("log");
    std::unique_lock lock(mutex);
    const auto has_work = [this] { return !pending.empty() || is_closed; };
    for (;;) {
      if (is_kept) {
        wake.wait(lock, has_work);
      } else {
        wake.wait_for(lock, kIdle, has_work);
      }
      if (pending.empty()) break;
      std::swap(pending, taken);
      const std::uint64_t lacking = std::exchange(dropped, 0);
      lock.unlock();
      write_all(fd, taken);
      if (lacking != 0) {
        write_all(
            fd, fmt::format("{} warning: {} lines of the log were dropped here: nobody took them\n",
                            format_time(system_clock().wall_ns()), lacking));
      }
      lock.lock();
      taken.clear();
      written.notify_all();
    }
    is_running = false;
  }

  const int fd;
  const bool is_kept;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable written;
  std::string pending;
  std::string taken;  // of the thread, while it writes
  std::uint64_t dropped = 0;
  bool is_running = false;
  bool is_closed = false;
};

LogQueue::LogQueue(int fd, Thread thread) : state_(std::make_shared<State>(fd, thread)) {
  const std::lock_guard lock(state_->mutex);
  if (thread == Thread::kept) state_->start(state_);
}

LogQueue::~LogQueue() {
  const std::lock_guard lock(state_->mutex);
  state_->is_closed = true;
  state_->wake.notify_all();
}

void LogQueue::add(std::string_view line) noexcept {
  const std::lock_guard lock(state_->mutex);
  if (state_->pending.size() + line.size() > kCapacity) {
    ++state_->dropped;
    return;
  }
  state_->pending.append(line);
  try {
    if (!state_->is_running) state_->start(state_);
  } catch (const std::exception&) {
    // No thread can be made now; the next line tries again, and this one waits for it.
  }
  state_->wake.notify_one();
}

bool LogQueue::flush(std::chrono::milliseconds longest) {
  std::unique_lock lock(state_->mutex);
  return state_->written.wait_for(
      lock, longest, [this] { return state_->pending.empty() && state_->taken.empty(); });
}

}  // namespace dmremap
