// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/dm_frontend.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/log.hpp"
#include "dm-remap-protocol.h"
#include "frontend/device_use.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::dm {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPassingStep{50};

Result<std::string> number_of(const std::string& node) {
  struct stat facts {};
  if (::stat(node.c_str(), &facts) != 0) return fail_errno(errno, "look at", node);
  return fmt::format("{}:{}", major(facts.st_rdev), minor(facts.st_rdev));
}

Result<MapperTable> wanted_table(SectorCount size, const DmOptions& options) {
  const auto main = number_of(options.main);
  if (!main) return failure_of(main);
  const auto engine = number_of(options.engine_node);
  if (!engine) return failure_of(engine);
  return MapperTable{DM_REMAP_TARGET, size,
                     fmt::format("{} {} {}", *main, *engine, DM_REMAP_REGION_SECTORS)};
}

TargetControl::Send sender_to(const std::string& uuid) {
  return [uuid](const std::string& message) { return send_to_mapper(uuid, message); };
}

// All of a new table is dirty: what it knows of the writes before it is nothing. A flush that
// succeeds settles that.
Result<void> settle_all(remap::Disk& disk, TargetRegions& regions) {
  const auto epoch = regions.end_epoch();
  if (!epoch) return failure_of(epoch);
  // Else all stays dirty until a user's flush succeeds.
  return disk.flush().ok() ? regions.settle(*epoch) : Result<void>();
}

}  // namespace

Result<void> attach_left_target(TargetRegions& regions, const DmOptions& options) {
  const auto was = mapper_table(options.names.uuid);
  if (!was) return failure_of(was);
  const auto wanted = wanted_table(was->size, options);
  if (!wanted) return failure_of(wanted);
  if (*was != *wanted) {
    return fail(ErrorCode::usage,
                fmt::format("has another table than this set's: {}", was->parameters),
                options.names.name, "end all use of it and remove it with `dmsetup remove`");
  }
  return regions.attach(sender_to(options.names.uuid));
}

std::vector<SectorRange> withhold_known(TargetRegions& regions,
                                        const std::vector<format::Extent>& extents) {
  std::vector<SectorRange> out;
  for (const format::Extent& extent : extents) {
    if (!regions.lets_through(extent.main())) continue;
    out.push_back(extent.main());
    (void)regions.withhold(extent.main());
  }
  return out;
}

DmFrontend::DmFrontend(remap::Disk& disk, remap::Admin& admin, TargetRegions& regions,
                       const DmOptions& options, std::string node)
    : disk_(disk),
      regions_(regions),
      names_(options.names),
      node_(std::move(node)),
      links_(options.stable_link, node_),
      before_(all_requests()) {
  regions_.start([&admin](SectorRange range) { return admin.may_go_direct(range); });
}

Result<std::unique_ptr<DmFrontend>> DmFrontend::start(remap::Disk& disk, remap::Admin& admin,
                                                      TargetRegions& regions,
                                                      const DmOptions& options) {
  const auto table = wanted_table(disk.geometry().size, options);
  if (!table) return failure_of(table);
  auto made = make_mapper(options.names.name, options.names.uuid, *table, MapperUse::of_users);
  if (!made) return failure_of(made);
  auto attached = regions.attach(sender_to(options.names.uuid));
  if (attached) attached = settle_all(disk, regions);
  if (!attached) {
    (void)remove_mapper(options.names.uuid);
    return failure_of(attached);
  }
  return std::unique_ptr<DmFrontend>(new DmFrontend(disk, admin, regions, options, made->node()));
}

Result<std::unique_ptr<DmFrontend>> DmFrontend::take_over(remap::Disk& disk, remap::Admin& admin,
                                                          TargetRegions& regions,
                                                          const DmOptions& options) {
  const auto found = find_mapper(options.names.uuid);
  if (!found) return failure_of(found);
  if (!*found) return fail(ErrorCode::no_such_device, "is gone", options.names.name);
  // The process may have been killed while it stopped the set.
  if (auto resumed = resume_mapper(options.names.uuid); !resumed) return failure_of(resumed);
  return std::unique_ptr<DmFrontend>(
      new DmFrontend(disk, admin, regions, options, (*found)->node()));
}

DmFrontend::~DmFrontend() {
  if (!stopped_ && !stop()) log(Severity::warning, node_ + " stays: its users wait for a start");
  regions_.stop();
}

// Reads, merged, sectors, ms, the same of writes (the kernel's Documentation/block/stat.rst).
DmFrontend::UserRequests DmFrontend::all_requests() const {
  std::istringstream words(
      os::read_attribute("/sys/class/block/" + node_.substr(node_.rfind('/') + 1) + "/stat"));
  std::array<std::uint64_t, 5> fields{};
  for (std::uint64_t& field : fields) words >> field;
  return {fields[0], fields[4]};
}

DmFrontend::UserRequests DmFrontend::user_requests() const {
  const UserRequests all = all_requests();
  return {all.reads - std::min(all.reads, before_.reads),
          all.writes - std::min(all.writes, before_.writes)};
}

// Programs that only look at the device are waited for.
Result<void> DmFrontend::check_unused() const {
  for (int step = 0;; ++step) {
    const auto found = find_mapper(names_.uuid);
    if (!found) return failure_of(found);
    if (!*found || (*found)->openers == 0) return {};
    if (step * kPassingStep >= os::patience_with(os::openers_of(node_))) {
      return frontend::in_use(node_, os::uses_of(node_));
    }
    std::this_thread::sleep_for(kPassingStep);
  }
}

// What its last user left in the page cache; the flush reaches main by the engine.
void DmFrontend::save() {
  const FileDescriptor fd(::open(node_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) == 0) return;
  const int error = errno;
  unsaved_ = Error{ErrorCode::io,
                   "what was written to its cache could not be saved: " +
                       fail_errno(error, "flush", node_).value().what,
                   node_, "look at the events, check the file system, and write the data again"};
  log(Severity::error, unsaved_->message());
}

Result<void> DmFrontend::stop() {
  if (stopped_) return {};
  if (is_removed()) {
    stopped_ = true;
    links_.remove();
    return {};
  }
  if (auto unused = check_unused(); !unused) return unused;
  save();
  if (auto suspended = suspend_mapper(names_.uuid); !suspended) return suspended;
  // Nothing is written past the process from here on, and what was is still known if this fails.
  // Whether it did is found by the flush of the set's stop, which has not been told.
  auto removed = check_unused();
  if (removed) {
    const bool saved = disk_.flush().ok();
    if (!saved && !unsaved_) {
      unsaved_ = Error{ErrorCode::io, "the last flush failed", node_,
                       "look at the events; check the file system"};
    }
    // While it can be told: a copy is recorded if there was no write since.
    (void)regions_.writes();
    removed = remove_mapper(names_.uuid);
  }
  if (removed) regions_.detach();
  if (!removed) {
    unsaved_.reset();
    (void)resume_mapper(names_.uuid);
    if (removed.error().code != ErrorCode::device_in_use) return removed;
    return frontend::in_use(node_, os::uses_of(node_));
  }
  regions_.stop();
  links_.remove();
  stopped_ = true;
  return {};
}

bool DmFrontend::is_removed() const {
  const auto found = find_mapper(names_.uuid);
  return found && !*found;
}

}  // namespace dmremap::dm
