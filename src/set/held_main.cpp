// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/held_main.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"
#include "discovery/candidates.hpp"
#include "discovery/fingerprint.hpp"
#include "discovery/match.hpp"
#include "io/usage.hpp"

namespace dmremap::set {

namespace {

constexpr std::uint64_t kProbes = 8;

// Whether the device does anything at all: one of a few spread units reads, or fails as media do.
bool answers(io::FileDevice& device) {
  const io::Geometry& geometry = device.geometry();
  const auto now = device.size_now();
  if (!now || *now < geometry.size) return false;
  AlignedBuffer unit(geometry.unit().bytes());
  for (std::uint64_t i = 0; i < kProbes; ++i) {
    const std::uint64_t at = align_down(geometry.size.value / kProbes * i, geometry.unit().value);
    const io::IoStatus status = device.read({at}, unit.span());
    if (status.ok() || io::classify(status.error) == io::Fault::media) return true;
  }
  return false;
}

const std::string& known(const std::string& recorded, const std::string& seen) {
  return seen.empty() ? recorded : seen;
}

}  // namespace

Result<std::unique_ptr<io::FileDevice>> hold_main(const std::string& path, io::Access access) {
  auto device = io::FileDevice::open(path, {access, io::Holding::exclusive});
  if (device || device.error().code != ErrorCode::device_in_use) return device;
  const auto storage = io::storage_of(path);
  if (!storage || !storage->is_block_device()) return device;
  const auto mounts = io::mounts_of(storage->device);
  if (mounts.empty()) return device;
  return fail(ErrorCode::device_mounted, "is mounted on " + mounts.front(), path,
              "unmount it; from now on mount the virtual device instead");
}

format::Fingerprint merged(const format::Fingerprint& recorded, const format::Fingerprint& seen) {
  format::Fingerprint out = seen;
  out.size = recorded.size;
  out.wwn = known(recorded.wwn, seen.wwn);
  out.serial = known(recorded.serial, seen.serial);
  out.model = known(recorded.model, seen.model);
  out.part_uuid = known(recorded.part_uuid, seen.part_uuid);
  if (seen.fs_type == discovery::kUnreadableFileSystem) {
    out.fs_type = recorded.fs_type;
    out.fs_uuid = recorded.fs_uuid;
  }
  return out;
}

HeldMain::HeldMain(std::unique_ptr<io::FileDevice> device, io::Access access,
                   format::Fingerprint fingerprint)
    : access_(access), fingerprint_(std::move(fingerprint)) {
  opened_.push_back(std::move(device));
}

io::FileDevice& HeldMain::device() const {
  const std::lock_guard lock(mutex_);
  return *opened_.back();
}

format::Fingerprint HeldMain::fingerprint() const {
  const std::lock_guard lock(mutex_);
  return fingerprint_;
}

void HeldMain::set_fingerprint(format::Fingerprint fingerprint) {
  const std::lock_guard lock(mutex_);
  fingerprint_ = std::move(fingerprint);
}

bool HeldMain::is_main(io::FileDevice& device) const {
  if (!(device.geometry() == this->device().geometry()) || !answers(device)) return false;
  const auto seen = discovery::take_fingerprint(device);
  if (!seen) return false;
  const auto verdict = discovery::match(fingerprint(), *seen);
  return verdict.likeness == discovery::Likeness::same && verdict.confirmed;
}

Result<io::BlockDevice*> HeldMain::reopen() {
  io::FileDevice& old = device();
  // Still the same open device: nobody can have put another in its place.
  if (answers(old)) return &old;

  std::vector<std::string> paths = discovery::block_devices();
  paths.insert(paths.begin(), {old.path(), fingerprint().path_hint});
  for (const std::string& path : paths) {
    if (path.empty()) continue;
    // Only what is main is held, if but for a moment: others may want theirs.
    const auto seen = io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
    if (!seen || !is_main(**seen)) continue;
    auto held = io::FileDevice::open(path, {access_, io::Holding::exclusive});
    if (!held || !is_main(**held)) continue;
    const std::lock_guard lock(mutex_);
    opened_.push_back(std::move(*held));
    return opened_.back().get();
  }
  return fail(ErrorCode::missing_device, "the main device is not back", old.path());
}

}  // namespace dmremap::set
