// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/held_spare.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"
#include "discovery/views.hpp"
#include "format/layout.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::set {

namespace {

using discovery::CandidateFacts;
using discovery::DeviceInstance;
using metadata::ReturnVerdict;

std::optional<DeviceInstance> instance_or_none(const io::FileDevice& device) {
  const auto found = discovery::instance_of(device);
  return found ? std::optional(*found) : std::nullopt;
}

// True if any of the places reads where a metadata copy begins.
bool answers(io::FileDevice& device, SectorCount recorded_size) {
  AlignedBuffer block(format::kBlockBytes);
  return std::ranges::any_of(format::copy_positions(recorded_size),
                             [&](Sector at) { return device.read(at, block.span()).ok(); });
}

// True if the device is too small, as far as the kernel says so without opening it.
bool is_smaller(const os::Storage& storage, SectorCount size) {
  if (!storage.is_block_device()) return false;
  const std::string sectors = os::read_attribute(os::sysfs_directory_of(storage.device) + "/size");
  return std::strtoull(sectors.c_str(), nullptr, 10) < size.value;
}

metadata::SpareRecord with_block_of(metadata::SpareRecord record, const io::FileDevice& device) {
  record.logical_block_bytes = device.geometry().logical_block_bytes;
  return record;
}

// The devices that qualify, without those that are another view of one of them.
std::vector<const CandidateFacts*> distinct(const std::vector<const CandidateFacts*>& devices) {
  std::vector<std::size_t> all(devices.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::vector<const CandidateFacts*> out;
  for (const std::size_t i :
       discovery::topmost_views(all, [&](std::size_t at) -> const discovery::StorageStack& {
         return devices[at]->beneath;
       })) {
    out.push_back(devices[i]);
  }
  return out;
}

tl::unexpected<Error> not_taken(ErrorCode code, const std::string& path,
                                const std::string& reason) {
  return fail(code, fmt::format("is there, but {}", reason), path);
}

}  // namespace

HeldSpare::HeldSpare(Parts parts)
    : access_(parts.access),
      record_(with_block_of(parts.record, *parts.device)),
      known_commits_(std::move(parts.known_commits)),
      main_(*parts.main),
      own_(*parts.own),
      devices_(std::move(parts.devices)),
      held_(std::move(parts.device)),
      door_(held_),
      instance_(instance_or_none(*held_)) {}

std::shared_ptr<io::FileDevice> HeldSpare::device() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

std::vector<std::string> HeldSpare::places_to_look() const {
  const std::string before = device()->path();
  std::vector<std::string> paths = devices_();
  if (std::ranges::find(paths, before) == paths.end()) paths.push_back(before);
  const auto main_instance = instance_or_none(*main_.device());
  if (!main_instance) return {};
  const os::Storage main = main_instance->storage;
  const auto below_main = os::beneath(main);
  std::erase_if(paths, [&](const std::string& path) {
    if (own_.covers(path)) return true;
    const auto storage = os::storage_of(path);
    if (!storage) return true;
    if (discovery::lies_on(below_main, {*storage})) return true;
    if (discovery::lies_on(os::beneath(*storage), {main})) return true;
    // Whoever put a smaller device where the spare was is told so.
    return path != before && is_smaller(*storage, record_.size);
  });
  return paths;
}

bool HeldSpare::is_stranger(const DeviceInstance& instance) const {
  return std::ranges::find(strangers_, instance) != strangers_.end();
}

Result<void> HeldSpare::check(io::FileDevice& device, const metadata::KnownCommits& commits) const {
  const auto survey = metadata::survey(device);
  if (!survey) return failure_of(survey);
  const auto judged = metadata::judge_returned_spare(record_, commits, device.geometry(), *survey);
  if (judged.verdict == ReturnVerdict::same) return {};
  if (judged.verdict == ReturnVerdict::refused) {
    return not_taken(ErrorCode::metadata_doubtful, device.path(), judged.reason);
  }
  return fail(ErrorCode::missing_device, "is another device by now", device.path());
}

// What was found was shared with others. It is checked again once nobody else can change it.
Result<void> HeldSpare::hold(const CandidateFacts& seen, const metadata::KnownCommits& commits) {
  auto device = io::FileDevice::open(seen.path, {access_, io::Holding::exclusive});
  if (!device) return not_taken(device.error().code, seen.path, device.error().what);
  if (instance_or_none(**device) != seen.instance) {
    return tl::unexpected(discovery::replaced_device(seen.path, {}));
  }
  if (auto fine = check(**device, commits); !fine) return fine;
  (*device)->serve_as(door_.geometry());
  found_ = std::move(*device);
  return {};
}

Result<remap::SpareReopener::Found> HeldSpare::find() {
  if (answers(*device(), record_.size)) {
    return fail(ErrorCode::missing_device, "answers again where it was", device()->path());
  }
  // Before the devices are read: a commit that is made meanwhile makes the comparison void.
  const metadata::KnownCommits commits = known_commits_();
  discovery::DeviceLook look;
  const std::vector<std::string> paths = places_to_look();
  look.measure(paths);
  std::vector<std::string> worth_reading;
  for (const std::string& path : paths) {
    const CandidateFacts& facts = look.facts().at(path);
    // The device that is held is not another one, even if it can be opened once more.
    if (!facts.instance || facts.instance == instance_ || is_stranger(*facts.instance)) continue;
    worth_reading.push_back(path);
  }
  look.keep_open_only(worth_reading);
  look.survey(worth_reading);
  std::vector<const CandidateFacts*> same;
  std::vector<std::string> refusals;
  for (const std::string& path : worth_reading) {
    const CandidateFacts& facts = look.facts().at(path);
    // One that cannot be read yet may be on its way, and is asked again.
    if (facts.unsurveyed()) continue;
    // Of hundreds of devices not all stay open. The block of one that was closed is checked by
    // hold().
    const io::FileDevice* const open = look.device(path);
    const io::Geometry geometry = open != nullptr ? open->geometry() : io::Geometry{facts.size};
    const auto judged = metadata::judge_returned_spare(record_, commits, geometry, **facts.survey);
    if (judged.verdict == ReturnVerdict::same) same.push_back(&facts);
    if (judged.verdict == ReturnVerdict::refused) {
      refusals.push_back(fmt::format("{} is there, but {}", path, judged.reason));
    }
    // Without an attachment another device at this node could not be told from this one.
    if (judged.verdict == ReturnVerdict::stranger && !facts.instance->attachment.empty()) {
      strangers_.push_back(*facts.instance);
    }
  }
  look.close();
  const auto spares = distinct(same);
  if (spares.size() == 1) {
    if (auto held = hold(*spares.front(), commits); !held) return failure_of(held);
    return Found{spares.front()->path, commits.last};
  }
  if (spares.size() > 1) {
    std::vector<std::string> names;
    names.reserve(spares.size());
    for (const CandidateFacts* one : spares) names.push_back(one->path);
    return fail(ErrorCode::ambiguous,
                fmt::format("{} both look like the spare, and one must be a copy: detach it",
                            fmt::join(names, " and ")));
  }
  if (!refusals.empty()) {
    return fail(ErrorCode::metadata_doubtful, fmt::format("{}", fmt::join(refusals, "; ")));
  }
  return fail(ErrorCode::missing_device, "the spare is not back", device()->path());
}

Result<SectorCount> HeldSpare::take_growth() {
  const std::lock_guard lock(mutex_);
  auto size = held_->take_growth();
  if (size) door_.extend_to(*size);
  return size;
}

void HeldSpare::attach() {
  {
    const std::lock_guard lock(mutex_);
    // The door may have grown since the device was found.
    found_->serve_as(door_.geometry());
    former_ = std::exchange(held_, std::move(found_));
    door_.attach(held_);
  }
  instance_ = instance_or_none(*held_);
}

void HeldSpare::let_go() {
  found_.reset();
  former_.reset();
}

}  // namespace dmremap::set
