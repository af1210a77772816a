// SPDX-License-Identifier: GPL-2.0-or-later
// Requests that are begun by one call and finished by another (disk.hpp). What is clean goes
// straight to its device and costs what it costs a thread that waits; everything else waits here
// for a thread of the engine, which does it as a front end's thread would.
//
// Threads are started when they are needed. A direct write that failed comes with its pin, for
// which a hold may be waiting; a request that waits for such a hold must never keep it from a
// thread. So the pinned ones go first, and some threads take no others.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "base/scheduling.hpp"
#include "remap/data_path.hpp"
#include "remap/disk.hpp"
#include "remap/request/read_path.hpp"
#include "remap/request/write_path.hpp"

namespace dmremap::remap {

// Thread-safe.
class RequestQueue {
 public:
  static constexpr std::size_t kThreads = 16;
  static constexpr std::size_t kThreadsForUnpinned = 12;

  // All outlive this. `disk` does what its thread asks of it.
  RequestQueue(Disk& disk, DataPath& path, ReadPath& read, WritePath& write);
  ~RequestQueue();

  // As Disk::begin and finish, of requests that fit the disk.
  std::optional<DirectRequest> begin(const Request& request);
  std::optional<io::IoStatus> finish(DirectRequest direct, io::IoStatus status);

  // Ends the threads. No request is in flight or comes after.
  void stop();

 private:
  struct Task {
    Request request;
    // Of a direct request: what its device said, and, of a write, its pin.
    int error = 0;
    std::optional<table::Pins::Pin> pin;
    std::uint64_t deadline_ns = 0;
  };

  [[nodiscard]] std::optional<DirectRequest> direct(const Request& request);
  void add(Task task);
  void loop();
  [[nodiscard]] bool may_take_locked() const;
  [[nodiscard]] std::optional<Task> take_locked();
  void work(Task task);
  [[nodiscard]] std::optional<io::IoStatus> read(const Task& task);

  Disk& disk_;
  DataPath& path_;
  ReadPath& read_;
  WritePath& write_;
  Mutex mutex_;
  Condition wake_;
  std::deque<Task> pinned_;
  std::deque<Task> unpinned_;
  std::size_t idle_ = 0;              // threads that wait for a task
  std::size_t unpinned_running_ = 0;  // threads that do a task without a pin
  bool stopping_ = false;
  std::vector<Thread> threads_;
};

}  // namespace dmremap::remap
