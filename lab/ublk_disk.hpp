// SPDX-License-Identifier: GPL-2.0-or-later
// Answers the requests of a ublk disk from a lab's disk, which may take its time.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "disk.hpp"
#include "ublk/handler.hpp"

namespace dmremap::lab {

// Nothing of it may be with the kernel any more when it is destroyed: its threads are joined.
class UblkDisk final : public ublk::Handler {
 public:
  // Requests on slow sectors keep a thread each; so many may wait before others have to.
  static constexpr unsigned kThreads = 64;

  explicit UblkDisk(Disk& disk);
  UblkDisk(const UblkDisk&) = delete;
  UblkDisk& operator=(const UblkDisk&) = delete;
  ~UblkDisk();

  ublk::Step begin(ublk::Request& request) override;
  ublk::Step direct_done(ublk::Request* request, void* cookie, int error) override;

 private:
  void work();
  [[nodiscard]] int serve(const ublk::Request& request);

  Disk& disk_;
  std::mutex taking_;  // held by a thread until its request has its place at the disk; guards below
  std::condition_variable arrived_;
  std::deque<ublk::Request*> requests_;
  bool ending_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace dmremap::lab
