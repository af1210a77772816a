// SPDX-License-Identifier: GPL-2.0-or-later
// Lines on their way to a file descriptor that nobody may wait for. Whoever reads the other end of
// a log may itself wait for the device that this process serves (promise 11): a journal on it, a
// terminal that was stopped. So a thread of its own writes; what it cannot get rid of is dropped,
// and counted.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

namespace dmremap {

// Thread-safe. May be destroyed while its thread hangs in a write: the thread then ends by itself.
class LogQueue {
 public:
  // How much waits to be written; all memory is there from the start.
  static constexpr std::size_t kCapacity = std::size_t{64} * 1024;
  // The thread is made for the first line and ends some seconds after the last one; or, where
  // making one later might wait for memory, it is there from the start.
  enum class Thread { on_demand, kept };

  // `fd` is not owned and stays open for as long as the process lives.
  LogQueue(int fd, Thread thread);
  ~LogQueue();
  LogQueue(const LogQueue&) = delete;
  LogQueue& operator=(const LogQueue&) = delete;

  // Never waits for `fd`. A line that finds no room, or no thread that writes it, is dropped; once
  // others are written, a line says how many were.
  void add(std::string_view line) noexcept;
  // Waits until all is written; false: some of it was not after `longest`.
  bool flush(std::chrono::milliseconds longest);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace dmremap
