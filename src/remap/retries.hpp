// SPDX-License-Identifier: GPL-2.0-or-later
// Failed reads are asked again by a few threads of their own, so that a request is answered by its
// deadline however long the drive takes, and bad sectors cannot occupy all threads of a front end's
// engine for good. A request that is not waited for any more is given up after the block in hand.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "remap/recovery.hpp"

namespace dmremap::remap {

// A part of a request that failed to read.
struct Unread {
  SectorRange range;         // whole units
  std::span<std::byte> out;  // the request's own
};

class Retries {
 public:
  // Starts the threads. `path` and `recovery` outlive this.
  Retries(DataPath& path, Recovery& recovery);
  ~Retries();

  // Waits until all is read or settled, or until the deadline: then ETIMEDOUT. The caller has no
  // pin.
  io::IoStatus read(std::span<const Unread> parts, std::uint64_t deadline_ns);

  // No request is in flight or comes after.
  void stop();

 private:
  struct Task {
    std::vector<Unread> parts;
    std::uint64_t until_ns = 0;
    io::IoStatus status;
    bool done = false;
    bool abandoned = false;  // nobody waits: the parts' buffers are gone
    // The drive took longer than the deadline to fail for the first time. Nobody waits, but what is
    // not found out now never would be.
    bool late = false;
  };
  using Tasks = std::deque<std::shared_ptr<Task>>;

  void loop(std::span<std::byte> buffer);
  void work(Task& task, std::span<std::byte> buffer);
  [[nodiscard]] bool wanted(const Task& task);

  DataPath& path_;
  Recovery& recovery_;
  Mutex mutex_;
  Condition wake_;
  Condition finished_;
  Tasks waiting_;
  bool stopping_ = false;
  std::vector<AlignedBuffer> buffers_;  // one a thread, made before anything goes wrong
  std::vector<Thread> threads_;
};

}  // namespace dmremap::remap
