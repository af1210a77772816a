// SPDX-License-Identifier: GPL-2.0-or-later
// One disk as one regular file: a FUSE mount whose root is the file itself.
//
// Requests are answered whole or with an errno, never short except at the end of the file: the
// kernel would fill the rest of a short read with zeros. They reach the disk in the order in which
// the kernel hands them out.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "disk.hpp"

struct fuse_session;

namespace dmremap::lab {

// Its own threads call the disk; its methods belong to one thread.
class FuseServer {
 public:
  // Requests on slow sectors keep a thread each; so many may wait before others have to.
  static constexpr unsigned kThreads = 64;

  // Mounts over `path` and serves; returns once the file answers. `disk` must outlive it.
  // Errors: permission, not_supported (no FUSE here), io.
  static Result<std::unique_ptr<FuseServer>> start(Disk& disk, const std::string& path);

  FuseServer(const FuseServer&) = delete;
  FuseServer& operator=(const FuseServer&) = delete;
  // Must have ended: the threads are joined.
  ~FuseServer();

  // Becomes readable when the mount has gone, by whomever.
  [[nodiscard]] int ended() const { return ended_.get(); }

 private:
  FuseServer(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  [[nodiscard]] Result<void> mount();
  [[nodiscard]] Result<void> answers() const;
  void work();

  Disk& disk_;
  const std::string path_;
  std::mutex receiving_;
  FileDescriptor ended_;
  fuse_session* session_ = nullptr;
  std::vector<std::jthread> threads_;
};

}  // namespace dmremap::lab
