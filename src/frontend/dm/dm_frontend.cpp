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
constexpr milliseconds kLeadPatience{10'000};

Result<std::string> number_of(const std::string& node) {
  struct stat facts {};
  if (::stat(node.c_str(), &facts) != 0) return fail_errno(errno, "look at", node);
  return fmt::format("{}:{}", major(facts.st_rdev), minor(facts.st_rdev));
}

Result<MapperTable> wanted_table(SectorCount size, const DmOptions& options) {
  const auto main = number_of(options.main);
  if (!main) return failure_of(main);
  // What lies at no node is none of the devices that there are.
  const auto engine =
      options.engine_node.empty() ? Result<std::string>("-") : number_of(options.engine_node);
  if (!engine) return failure_of(engine);
  return MapperTable{DM_REMAP_TARGET, size,
                     fmt::format("{} {} {}", *main, *engine, DM_REMAP_REGION_SECTORS)};
}

// The words of a table of the target: main, the engine device, the sectors of a region.
std::array<std::string, 3> words_of(const MapperTable& table) {
  std::istringstream words(table.parameters);
  std::array<std::string, 3> out;
  for (std::string& word : out) words >> word;
  return out;
}

// True if `was` differs from `wanted` only in devices that are gone: nobody is served by them.
bool may_take_its_place(const MapperTable& wanted, const MapperTable& was) {
  const auto [main, engine, region] = words_of(was);
  const auto [wanted_main, wanted_engine, wanted_region] = words_of(wanted);
  return was.target == wanted.target && was.size == wanted.size && region == wanted_region &&
         (main == wanted_main || is_gone(main)) && (engine == wanted_engine || is_gone(engine));
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
  if (!may_take_its_place(*wanted, *was)) {
    return fail(ErrorCode::usage,
                fmt::format("has another table than this set's: {}", was->parameters),
                options.names.name, "end all use of it and remove it with `dmsetup remove`");
  }
  // A dead run may have been killed while it stopped the set, or while it exchanged the table.
  (void)forget_loaded_table(options.names.uuid);
  if (auto resumed = resume_mapper(options.names.uuid); !resumed) return resumed;
  if (auto attached = regions.attach(sender_to(options.names.uuid)); !attached) return attached;
  regions.set_reach(*was == *wanted ? TargetRegions::Reach::main : TargetRegions::Reach::elsewhere);
  return {};
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
  suspending_->engine_node = options.engine_node;
  regions_.set_exchange([options, size = disk.geometry().size, suspending = suspending_](
                            const std::string& main, const std::function<void()>& in_between) {
    const std::lock_guard lock(suspending->mutex);
    if (suspending->is_over) return Result<void>(fail(ErrorCode::no_such_device, "is removed"));
    DmOptions now = options;
    now.main = main;
    now.engine_node = suspending->engine_node;
    const auto table = wanted_table(size, now);
    if (!table) return Result<void>(failure_of(table));
    log(Severity::info, fmt::format("the kernel target is led to {}", main));
    return exchange_table(now.names.uuid, *table, MapperUse::of_users, in_between);
  });
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
  std::unique_ptr<DmFrontend> out(new DmFrontend(disk, admin, regions, options, made->node()));
  out->make_partitions();
  return out;
}

Result<std::unique_ptr<DmFrontend>> DmFrontend::take_over(remap::Disk& disk, remap::Admin& admin,
                                                          TargetRegions& regions,
                                                          const DmOptions& options) {
  const auto found = find_mapper(options.names.uuid);
  if (!found) return failure_of(found);
  if (!*found) return fail(ErrorCode::no_such_device, "is gone", options.names.name);
  std::unique_ptr<DmFrontend> out(new DmFrontend(disk, admin, regions, options, (*found)->node()));
  const auto give_up = std::chrono::steady_clock::now() + kLeadPatience;
  while (!regions.reaches_main() && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(kPassingStep);
  }
  out->make_partitions();
  return out;
}

void DmFrontend::make_partitions() {
  partitions_ = std::make_unique<TargetPartitions>(disk_, names_, node_, links_.path());
}

DmFrontend::~DmFrontend() {
  if (partitions_ && !stopped_ && !stop()) {
    log(Severity::warning, node_ + " stays: its users wait for a start");
  }
  partitions_.reset();
  regions_.stop();
  const std::lock_guard lock(suspending_->mutex);
  suspending_->is_over = true;
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
  if (auto unused = partitions_->check_unused(); !unused) return unused;
  return frontend::wait_until_unused(node_, [&]() -> Result<bool> {
    const auto found = find_mapper(names_.uuid);
    if (!found) return failure_of(found);
    return *found && (*found)->openers > partitions_->count();
  });
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
    // Whoever removed it has removed its partitions first. Their links are left.
    if (auto ended = partitions_->stop(); !ended) log(Severity::warning, ended.error().message());
    stopped_ = true;
    links_.remove();
    return {};
  }
  if (auto unused = check_unused(); !unused) return unused;
  save();
  auto removed = partitions_->stop();
  if (removed) removed = remove_unused();
  if (!removed) {
    make_partitions();
    return removed;
  }
  regions_.stop();
  links_.remove();
  stopped_ = true;
  return {};
}

Result<void> DmFrontend::remove_unused() {
  const std::lock_guard lock(suspending_->mutex);
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
  suspending_->is_over = true;
  return {};
}

void DmFrontend::lead_to_engine(const std::string& node) {
  {
    const std::lock_guard lock(suspending_->mutex);
    suspending_->engine_node = node;
  }
  regions_.set_reach(TargetRegions::Reach::elsewhere);
}

bool DmFrontend::is_in_use() const {
  const auto found = find_mapper(names_.uuid);
  if (!found || !*found) return false;
  const auto partitions = partition_mappers(names_);
  return (*found)->openers > partitions.size() ||
         std::ranges::any_of(partitions, [](const auto& one) { return one.second.openers > 0; });
}

bool DmFrontend::is_removed() const {
  const auto found = find_mapper(names_.uuid);
  return found && !*found;
}

}  // namespace dmremap::dm
