// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/exports.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.hpp"
#include "io/usage.hpp"

namespace dmremap::daemon {

namespace {

bool asks_for(const ExportOptions& options, ExportKind kind) {
  return std::ranges::find(options.kinds, kind) != options.kinds.end();
}

}  // namespace

Result<ExportKind> parse_export(const std::string& text) {
  if (text == "auto") return ExportKind::automatic;
  if (text == "fuse") return ExportKind::fuse;
  if (text == "block") return ExportKind::block;
  if (text == "nbd" || text == "ublk" || text == "dm") {
    return fail(ErrorCode::not_supported, "this version has no such export", text,
                "use `--export block` or `--export fuse`");
  }
  return fail(ErrorCode::usage, "not a kind of export", text, "use `block`, `fuse` or `auto`");
}

Result<std::unique_ptr<Exports>> Exports::start(remap::Engine& engine,
                                                const ExportOptions& options) {
  auto fuse = fuse::FuseFrontend::start(engine, {options.mount_path, options.read_only});
  if (!fuse) return tl::unexpected(fuse.error());
  fuse::LoopOptions loop;
  loop.backing_path = (*fuse)->path();
  loop.stable_link = options.stable_link;
  loop.logical_block_bytes = engine.geometry().logical_block_bytes;
  loop.read_only = options.read_only;
  std::unique_ptr<Exports> made(new Exports(std::move(*fuse), options, std::move(loop)));
  const bool must = asks_for(options, ExportKind::block);
  if (must || asks_for(options, ExportKind::automatic)) {
    if (auto attached = made->attach(); !attached) {
      if (must) return tl::unexpected(attached.error());
      log(Severity::info, "served as a file, not as a block device: " + attached.error().message());
    }
  }
  return made;
}

Result<void> Exports::attach() {
  auto loop = fuse::LoopDevice::attach(loop_options_);
  if (!loop) return tl::unexpected(loop.error());
  loop_ = std::move(*loop);
  return {};
}

nlohmann::json Exports::to_json() const {
  nlohmann::json out = nlohmann::json::array();
  for (const ExportKind kind : options_.kinds) {
    if (kind != ExportKind::fuse && loop_) {
      const std::string& stable = loop_->stable();
      out.push_back({{"kind", "block"},
                     {"where", loop_->node()},
                     {"stable", stable.empty() ? nlohmann::json() : nlohmann::json(stable)}});
    } else {
      out.push_back({{"kind", "fuse"}, {"where", fuse_->path()}, {"stable", fuse_->path()}});
    }
  }
  return out;
}

Result<void> Exports::stop() {
  // The loop device holds one handle; another one is somebody who would be cut off half-way.
  if (loop_ && fuse_->open_handles() > 1) {
    return fail(ErrorCode::device_in_use,
                fmt::format("is in use: {}", fmt::join(io::uses_of(fuse_->path()), ", ")),
                fuse_->path(), "end that use first");
  }
  if (loop_) {
    if (auto detached = loop_->detach(); !detached) return detached;
    loop_.reset();
  }
  auto stopped = fuse_->stop();
  if (!stopped && !loop_options_.backing_path.empty() &&
      (asks_for(options_, ExportKind::block) || asks_for(options_, ExportKind::automatic))) {
    // Somebody was quicker than we: go on as before, as far as that can be had.
    if (auto attached = attach(); !attached) log(Severity::error, attached.error().message());
  }
  return stopped;
}

}  // namespace dmremap::daemon
