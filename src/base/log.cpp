// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>

#include <fmt/format.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/log_queue.hpp"

namespace dmremap {

namespace {

// Never freed: threads log until the process has ended.
std::atomic<LogQueue*>& queue() {
  static std::atomic<LogQueue*> instance{nullptr};
  return instance;
}

// A process that was forked has no thread that writes, and perhaps a queue in the middle of a
// change: it writes itself.
void leave_queue_behind() {
  queue() = nullptr;
}

bool is_in_memory(int fd) {
  struct statfs system {};
  return ::fstatfs(fd, &system) == 0 &&
         (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
}

}  // namespace

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

void log(Severity severity, std::string_view line) {
  const std::string text =
      fmt::format("{} {}: {}\n", format_time(system_clock().wall_ns()), name_of(severity), line);
  if (LogQueue* waiting = queue().load()) return waiting->add(text);
  // A log that cannot be written must not stop the set. And whoever reads a socket, the journal's
  // daemon say, may wait for the device that this process serves: it is never waited for.
  const ssize_t sent = ::send(STDERR_FILENO, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0 || errno != ENOTSOCK) return;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

void log_without_waiting(LogThread thread) {
  if (queue().load() != nullptr || is_in_memory(STDERR_FILENO)) return;
  static const int watched = ::pthread_atfork(nullptr, nullptr, &leave_queue_behind);
  (void)watched;  // without memory for that there is none for a fork either
  queue() = new LogQueue(STDERR_FILENO, thread == LogThread::kept ? LogQueue::Thread::kept
                                                                  : LogQueue::Thread::on_demand);
}

void flush_log() {
  if (LogQueue* waiting = queue().load()) (void)waiting->flush(std::chrono::seconds(1));
}

}  // namespace dmremap
