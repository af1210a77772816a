// SPDX-License-Identifier: GPL-2.0-or-later
// The disk as a file: FUSE over the mount file.
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.hpp"
#include "front.hpp"
#include "fuse_server.hpp"
#include "mount_file.hpp"
#include "os/mount_point.hpp"

namespace dmremap::lab {

namespace {

class FileFront final : public Front {
 public:
  FileFront(MountFile file, std::unique_ptr<FuseServer> server)
      : file_(std::move(file)), server_(std::move(server)) {}

  [[nodiscard]] std::string place() const override { return file_.path(); }
  [[nodiscard]] int ended() const override { return server_->ended(); }

  [[nodiscard]] Result<void> end_unused() override {
    const std::string& path = file_.path();
    auto gone = when_unused([&path] { return unmount(path); });
    if (gone || gone.error().code != ErrorCode::device_in_use) return gone;
    const auto users = users_of(path);
    return fail(ErrorCode::device_in_use,
                users.empty() ? "the disk is in use"
                              : fmt::format("the disk is in use by {}", fmt::join(users, ", ")),
                path, "unmount and detach what lies on it first");
  }

  void end_in_use() override {
    if (unmount(file_.path())) return;
    log(Severity::warning, fmt::format("{}: taken away while in use", file_.path()));
    static_cast<void>(detach(file_.path()));
  }

 private:
  MountFile file_;  // outlives the mount over it
  std::unique_ptr<FuseServer> server_;
};

}  // namespace

Result<std::unique_ptr<Front>> serve_file(Disk& disk, const std::string& path) {
  auto file = MountFile::take(path);
  if (!file) return failure_of(file);
  auto server = FuseServer::start(disk, path);
  if (!server) return failure_of(server);
  return std::make_unique<FileFront>(std::move(*file), std::move(*server));
}

Result<std::string> clear_dead_file(const std::string& path) {
  if (os::mount_state(path, kFileSystemType) != os::MountState::dead) {
    return fail(ErrorCode::not_running, "no dead mount", path);
  }
  if (const auto gone = detach(path); !gone) return failure_of(gone);
  return "the dead mount";
}

}  // namespace dmremap::lab
