// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/local_exports.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/log.hpp"
#include "frontend/device_use.hpp"
#include "frontend/fuse/fuse_frontend.hpp"
#include "frontend/fuse/loop_device.hpp"
#include "os/mount_point.hpp"
#include "os/process.hpp"

namespace dmremap::daemon {

namespace {

bool asks_for(const LocalExportOptions& options, ExportKind kind) {
  return std::ranges::find(options.kinds, kind) != options.kinds.end();
}

class LocalExports final : public Exports {
 public:
  LocalExports(std::unique_ptr<fuse::FuseFrontend> fuse, LocalExportOptions options,
               fuse::LoopOptions loop_options)
      : options_(std::move(options)),
        loop_options_(std::move(loop_options)),
        fuse_(std::move(fuse)) {}

  Result<void> attach();
  [[nodiscard]] std::vector<control::ExportReport> reports() const override;
  Result<void> stop(ConnectedClients clients) override;
  [[nodiscard]] bool ended() const override { return fuse_->ended(); }
  [[nodiscard]] std::optional<Error> unsaved() const override { return unsaved_; }
  void look() override {
    if (loop_) loop_->follow_partitions();
  }

 private:
  Result<void> end_cut_off();
  [[nodiscard]] bool is_offered_as_block() const {
    return asks_for(options_, ExportKind::block) || asks_for(options_, ExportKind::automatic);
  }

  LocalExportOptions options_;
  fuse::LoopOptions loop_options_;
  std::unique_ptr<fuse::FuseFrontend> fuse_;
  std::unique_ptr<fuse::LoopDevice> loop_;  // ends first
  std::optional<Error> unsaved_;
};

Result<void> LocalExports::attach() {
  auto loop = fuse::LoopDevice::attach(loop_options_);
  if (!loop) return failure_of(loop);
  loop_ = std::move(*loop);
  return {};
}

std::vector<control::ExportReport> LocalExports::reports() const {
  std::vector<control::ExportReport> out;
  for (const ExportKind kind : options_.kinds) {
    if (kind != ExportKind::fuse && loop_) {
      const std::string& stable = loop_->stable();
      out.push_back({"block", loop_->node(),
                     stable.empty() ? std::nullopt : std::optional<std::string>(stable)});
    } else {
      out.push_back({"fuse", fuse_->path(), fuse_->path()});
    }
  }
  return out;
}

Result<void> LocalExports::stop(ConnectedClients /*clients*/) {
  if (fuse_->ended()) return end_cut_off();
  if (loop_) {
    // The loop device holds one handle. Another one belongs to a program that would be cut off in
    // the middle of its work, or has been closed a moment ago: the kernel tells that later.
    auto unused = frontend::wait_until_unused(
        fuse_->path(), [this]() -> Result<bool> { return fuse_->open_handles() > 1; });
    if (!unused) return unused;
    if (auto detached = loop_->detach(); !detached) return detached;
    unsaved_ = loop_->unsaved();
    loop_.reset();
  }
  auto stopped = fuse_->stop();
  if (!stopped && is_offered_as_block() && os::is_mounted(fuse_->path())) {
    // Somebody was quicker than we: go on as before, as far as that can be had. Where the file was
    // taken out of the tree there is nothing of ours to attach.
    if (auto attached = attach(); !attached) log(Severity::error, attached.error().message());
  }
  return stopped;
}

// Ends exports whose connection to the kernel was aborted, or whose file was unmounted. The set
// cannot be reached through them any more. Programs that still have the file open, or the loop
// device mounted, get errors whether the set ends or not, and their close is never reported.
Result<void> LocalExports::end_cut_off() {
  if (loop_) {
    loop_->abandon();
    unsaved_ = loop_->unsaved();
    loop_.reset();
  }
  return fuse_->stop();
}

}  // namespace

Result<std::unique_ptr<Exports>> start_local_exports(remap::Disk& disk,
                                                     const LocalExportOptions& options) {
  fuse::FuseOptions file{options.mount_path, options.read_only, options.punch_holes};
  file.gate = options.gate;
  file.threads = os::memory_policy().request_threads;
  auto fuse = fuse::FuseFrontend::start(disk, file);
  if (!fuse) return failure_of(fuse);
  fuse::LoopOptions loop;
  loop.backing_path = (*fuse)->path();
  loop.stable_link = options.stable_link;
  loop.logical_block_bytes = disk.geometry().logical_block_bytes;
  loop.read_only = options.read_only;
  auto made = std::make_unique<LocalExports>(std::move(*fuse), options, std::move(loop));
  const bool must = asks_for(options, ExportKind::block);
  if (must || asks_for(options, ExportKind::automatic)) {
    if (auto attached = made->attach(); !attached) {
      if (must) return failure_of(attached);
      log(Severity::info, "served as a file, not as a block device: " + attached.error().message());
    }
  }
  return made;
}

bool can_mount() {
  return fuse::FuseFrontend::check_device().has_value();
}

}  // namespace dmremap::daemon
