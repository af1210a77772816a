// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/held_main.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"
#include "discovery/candidates.hpp"
#include "discovery/device_facts.hpp"
#include "discovery/fingerprint.hpp"
#include "discovery/main_choice.hpp"
#include "os/usage.hpp"

namespace dmremap::set {

namespace {

// The number of places, spread over the device, that answers() tries.
constexpr std::uint64_t kProbes = 8;

// True if the device does anything at all: one of a few units reads, or fails with a medium error,
// which is an answer of a disk that is there and has a bad sector.
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

// A value that the device does not show today does not erase the one that is recorded.
const std::string& seen_or_recorded(const std::string& recorded, const std::string& seen) {
  return seen.empty() ? recorded : seen;
}

}  // namespace

Result<std::unique_ptr<io::FileDevice>> hold_main(const std::string& path, io::Access access,
                                                  const std::string& through) {
  auto device = io::FileDevice::open(path, {access, io::Holding::exclusive, through});
  if (device || device.error().code != ErrorCode::device_in_use) return device;
  // If it is in use because it is mounted, the error says where.
  const auto storage = os::storage_of(path);
  if (!storage || !storage->is_block_device()) return device;
  const auto mounts = os::mounts_of(storage->device);
  if (mounts.empty()) return device;
  return fail(ErrorCode::device_mounted, "is mounted on " + mounts.front(), path,
              "unmount it; from now on mount the virtual device instead");
}

format::Fingerprint merged(const format::Fingerprint& recorded, const format::Fingerprint& seen) {
  format::Fingerprint out = seen;
  out.size = recorded.size;
  out.logical_block_bytes = recorded.logical_block_bytes;
  out.wwn = seen_or_recorded(recorded.wwn, seen.wwn);
  out.serial = seen_or_recorded(recorded.serial, seen.serial);
  out.model = seen_or_recorded(recorded.model, seen.model);
  out.part_uuid = seen_or_recorded(recorded.part_uuid, seen.part_uuid);
  if (seen.fs_type == discovery::kUnreadableFileSystem) {
    out.fs_type = recorded.fs_type;
    out.fs_uuid = recorded.fs_uuid;
  }
  return out;
}

HeldMain::HeldMain(std::unique_ptr<io::FileDevice> device, io::Access access,
                   discovery::RecordedMain recorded, const OwnDevices& own, io::HoldingNode* holder)
    : access_(access),
      own_(own),
      holder_(holder),
      geometry_(device->geometry()),
      recorded_(std::move(recorded)) {
  opened_.push_back(std::move(device));
}

std::shared_ptr<io::FileDevice> HeldMain::device() const {
  const std::lock_guard lock(mutex_);
  return opened_.back();
}

void HeldMain::refuse(io::BlockDevice& device) {
  std::shared_ptr<io::FileDevice> closed;
  {
    const std::lock_guard lock(mutex_);
    if (candidate_ == &device && opened_.size() > 1) {
      // Opened by the last reopen(). The device that was main before is the one in use again.
      closed = std::move(opened_.back());
      opened_.pop_back();
    } else {
      // Main all along. It stays open, because its contents may be right again later.
      refused_ = &device;
    }
    candidate_ = nullptr;
  }
  // All descriptors of a holding node read and write what it holds now, that of the device before
  // too: as long as it held the refused device, that one would be taken for main. From here on it
  // answers nobody, until main is found again.
  if (closed && holder_ != nullptr) holder_->let_go();
}

discovery::RecordedMain HeldMain::recorded() const {
  const std::lock_guard lock(mutex_);
  return recorded_;
}

void HeldMain::set_recorded(discovery::RecordedMain recorded) {
  const std::lock_guard lock(mutex_);
  recorded_ = std::move(recorded);
}

Result<void> HeldMain::check(io::FileDevice& device, const discovery::SharedFacts& shared) const {
  auto seen = discovery::gather_facts(device);
  if (!seen) return failure_of(seen);
  auto verdict = discovery::identify(recorded(), *seen, shared);
  // A user's consent of earlier does not count here: acknowledged writes are at stake.
  if (verdict.by_consent) verdict.identity = discovery::Identity::unproven;
  verdict.by_consent = false;
  if (auto fine = discovery::check_main({std::move(*seen), verdict, true, false}, {}); !fine) {
    // The engine compares the contents block by block before main is taken again, so that a changed
    // file system UUID is no reason to refuse the device here.
    if (fine.error().code != ErrorCode::main_changed) return fine;
  }
  if (!answers(device)) return fail(ErrorCode::missing_device, "does not answer", device.path());
  return {};
}

Result<std::unique_ptr<io::FileDevice>> HeldMain::hold_again(
    const std::string& path, const discovery::SharedFacts& shared) const {
  // First checked while shared: a device that is not main is never held exclusively, not even for a
  // moment, because its user may want to open it just then.
  {
    auto seen = io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
    if (!seen) return failure_of(seen);
    if (auto fine = check(**seen, shared); !fine) return failure_of(fine);
    // What was looked at stays open meanwhile, so that its number cannot become another device's.
    if (holder_ != nullptr) return hold_through(path, shared);
  }
  // The path may have got another device in between, so that the held one is checked again.
  auto held = io::FileDevice::open(path, {access_, io::Holding::exclusive});
  if (!held) return held;
  if (auto fine = check(**held, shared); !fine) return failure_of(fine);
  if (auto fits = serve_as_before(**held); !fits) return failure_of(fits);
  return held;
}

Result<void> HeldMain::serve_as_before(io::FileDevice& device) const {
  const io::Geometry now = device.geometry();
  if (now.size < geometry_.size || now.logical_block_bytes > geometry_.logical_block_bytes) {
    return fail(ErrorCode::wrong_main, "has another size or block size than main had",
                device.path());
  }
  device.serve_as(geometry_);
  return {};
}

// No request of the engine's is under way. A kill before the holder has let go of the device before
// leaves that held, and one after it the new one: the next start holds main wherever it finds it.
Result<std::unique_ptr<io::FileDevice>> HeldMain::hold_through(
    const std::string& path, const discovery::SharedFacts& shared) const {
  if (auto held = holder_->hold(path, geometry_.size); !held) return failure_of(held);
  // Another descriptor of what is open already: the hold ends with the last request by any of them.
  const std::string node = fmt::format("/proc/self/fd/{}", device()->descriptor_for({}));
  auto held = io::FileDevice::open(path, {access_, io::Holding::exclusive, node});
  auto fine = held ? check(**held, shared) : Result<void>(failure_of(held));
  if (fine) fine = serve_as_before(**held);
  if (fine) return held;
  holder_->let_go();
  return failure_of(fine);
}

Result<io::BlockDevice*> HeldMain::reopen() {
  const std::shared_ptr<io::FileDevice> old = device();
  const bool same_answers = answers(*old);
  bool was_refused = false;
  {
    const std::lock_guard lock(mutex_);
    candidate_ = nullptr;
    was_refused = refused_ == old.get();
  }
  // The descriptor has stayed open, so it is still the same device.
  if (same_answers && !was_refused) return old.get();
  auto other = find_again(*old);
  // No other device is main. The old one was refused for its contents, but they may be right again:
  // a dock may have got the right disk back.
  if (!other && same_answers) return old.get();
  return other;
}

Result<io::BlockDevice*> HeldMain::find_again(const io::FileDevice& old) {
  const discovery::RecordedMain now = recorded();
  const auto shared = discovery::shared_facts(discovery::names_of_disks());
  // The path where main was is tried first, then the one it was recorded with, then all others.
  std::vector<std::string> paths = discovery::block_devices();
  paths.insert(paths.begin(), {old.path(), now.fingerprint.path_hint});
  std::optional<Error> refused;
  for (const std::string& path : paths) {
    if (path.empty() || own_.covers(path)) continue;
    const bool was_here = path == old.path();
    if (!was_here && !discovery::may_be_device(path, now.fingerprint.size, now.facts)) continue;
    auto held = hold_again(path, shared);
    if (!held) {
      const ErrorCode code = held.error().code;
      // Of the many devices that are not main only these are worth telling: one that might be, and
      // another one in main's place.
      const bool told =
          code == ErrorCode::main_unproven || (was_here && code == ErrorCode::wrong_main);
      if (told && !refused) refused = held.error();
      continue;
    }
    const std::lock_guard lock(mutex_);
    opened_.push_back(std::move(*held));
    candidate_ = opened_.back().get();
    return opened_.back().get();
  }
  if (refused) {
    refused->what = "is there, but was not taken for main again: " + refused->what;
    refused->hint = "stop the set, look at the device, and start it with --accept-main";
    return tl::unexpected(*refused);
  }
  return fail(ErrorCode::missing_device, "the main device is not back", old.path());
}

}  // namespace dmremap::set
