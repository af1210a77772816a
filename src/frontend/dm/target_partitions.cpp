// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/target_partitions.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.hpp"
#include "base/parse.hpp"
#include "frontend/device_use.hpp"
#include "frontend/dm/partition_table.hpp"
#include "frontend/stable_links.hpp"
#include "os/set_link.hpp"
#include "os/sysfs.hpp"

namespace dmremap::dm {

namespace {

constexpr std::chrono::seconds kFollowEvery{1};
// Tables that are not spread over the disk lie here, with blocks of 4 KiB too.
constexpr SectorCount kStart{64};
constexpr std::uint64_t kPrimaries = 4;

std::string uuid_of(const SetMappers& names, std::uint64_t number) {
  return fmt::format("{}-part{}", names.uuid, number);
}

// Programs that only look at a device, as udev does at a new one, are waited for.
Result<void> check_mapper_unused(const std::string& uuid) {
  const auto there = find_mapper(uuid);
  if (!there) return failure_of(there);
  if (!*there) return {};
  return frontend::wait_until_unused((*there)->node(), [&]() -> Result<bool> {
    const auto found = find_mapper(uuid);
    if (!found) return failure_of(found);
    return *found && (*found)->openers != 0;
  });
}

// Over the target at `node`.
Result<MapperTable> table_of(const std::string& node, SectorRange range) {
  struct stat facts {};
  if (::stat(node.c_str(), &facts) != 0) return fail_errno(errno, "look at", node);
  return MapperTable{
      "linear", range.count,
      fmt::format("{}:{} {}", major(facts.st_rdev), minor(facts.st_rdev), range.first.value)};
}

}  // namespace

std::map<std::uint64_t, MapperStatus> partition_mappers(const SetMappers& names) {
  const std::string prefix = names.uuid + "-part";
  std::map<std::uint64_t, MapperStatus> out;
  for (const std::string& block : os::names_in("/sys/block")) {
    const std::string uuid = os::read_attribute(fmt::format("/sys/block/{}/dm/uuid", block));
    if (!uuid.starts_with(prefix)) continue;
    const auto number = parse_number(uuid.substr(prefix.size()));
    const auto found = number ? find_mapper(uuid) : Result<std::optional<MapperStatus>>{};
    if (found && *found) out[*number] = **found;
  }
  return out;
}

Result<void> remove_partition_mappers(const SetMappers& names) {
  const auto all = partition_mappers(names);
  for (const auto& [number, status] : all) {
    if (auto unused = check_mapper_unused(uuid_of(names, number)); !unused) return unused;
  }
  for (const auto& [number, status] : all) {
    // One that was opened since stays, and so does the target below it.
    if (auto removed = remove_mapper(uuid_of(names, number)); !removed) return removed;
  }
  return {};
}

TargetPartitions::TargetPartitions(remap::Disk& disk, SetMappers names, std::string node,
                                   std::string link)
    : disk_(disk),
      names_(std::move(names)),
      node_(std::move(node)),
      link_(std::move(link)),
      closings_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      start_(std::min(kStart, disk.geometry().size).bytes()),
      thread_(system_scheduling(), kFollowEvery, PeriodicThread::First::after_interval) {
  if (!closings_.valid() ||
      ::inotify_add_watch(closings_.get(), node_.c_str(), IN_CLOSE_WRITE) < 0) {
    log(Severity::warning, node_ + ": partitions that are made now show at the next start");
  }
  follow();
  thread_.start("dm-partitions", [this] { follow(); });
}

TargetPartitions::~TargetPartitions() {
  thread_.stop();
}

unsigned TargetPartitions::count() const {
  const std::lock_guard lock(mutex_);
  return static_cast<unsigned>(partition_mappers(names_).size());
}

Result<void> TargetPartitions::check_unused() const {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, status] : partition_mappers(names_)) {
    if (auto unused = check_mapper_unused(uuid_of(names_, number)); !unused) return unused;
  }
  return {};
}

Result<void> TargetPartitions::stop() {
  // It may have the target open.
  thread_.stop();
  const std::lock_guard lock(mutex_);
  if (stopped_) return {};
  if (auto removed = remove_partition_mappers(names_); !removed) return removed;
  unlink_all();
  stopped_ = true;
  return {};
}

// Whoever makes partitions opens the device for writing, writes the table and closes it; udev looks
// at disks anew for the same reason.
bool TargetPartitions::was_closed_by_a_writer() const {
  alignas(inotify_event) std::array<char, 4096> events{};
  bool out = false;
  while (::read(closings_.get(), events.data(), events.size()) > 0) out = true;
  return out;
}

// Asks the engine and not the target, which has other users: most of those who close it have
// changed no table. Where one is spread over the disk, as logical partitions are, its start does
// not tell.
bool TargetPartitions::may_have_changed() {
  if (!was_closed_by_a_writer() && !is_first_) return false;
  AlignedBuffer now(start_.span().size());
  const bool is_read = disk_.read({0}, now.span()).ok();
  const bool is_same = !is_first_ && is_read && std::ranges::equal(now.span(), start_.span());
  is_first_ = false;
  if (is_read) std::ranges::copy(now.span(), start_.span().begin());
  return !is_same || is_spread_;
}

void TargetPartitions::link(std::uint64_t number, const std::string& node) {
  if (link_.empty() || links_[number] == node) return;
  links_[number] = node;
  if (auto placed = frontend::place_link(os::partition_link(link_, number), node); !placed) {
    log(Severity::warning, placed.error().message());
  }
}

void TargetPartitions::unlink_all() {
  for (const auto& [number, node] : links_) {
    frontend::remove_link(os::partition_link(link_, number), node);
  }
  links_.clear();
}

// The table is read without the lock: a bad sector there may take a minute. Two partitions that
// change places are made anew; one that is in use stays as it is until it is not.
void TargetPartitions::follow() {
  const bool is_new = may_have_changed();
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || (!is_new && !is_pending_)) return;
  }
  const auto table = read_partition_table(node_);
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  // What cannot be read says nothing of the partitions: they stay as they are until it can.
  is_pending_ = !table;
  if (!table) return;
  is_spread_ = std::ranges::any_of(*table, [](const auto& one) { return one.first > kPrimaries; });
  for (const auto& [number, status] : partition_mappers(names_)) {
    const auto wanted = table->find(number);
    const auto should = wanted == table->end() ? Result<MapperTable>(fail(ErrorCode::usage, ""))
                                               : table_of(node_, wanted->second);
    const auto is = mapper_table(uuid_of(names_, number));
    if (should && is && *should == *is) {
      link(number, status.node());
      continue;
    }
    if (auto removed = remove_mapper(uuid_of(names_, number)); !removed) {
      is_pending_ = true;
      continue;
    }
    frontend::remove_link(os::partition_link(link_, number), status.node());
    links_.erase(number);
  }
  for (const auto& [number, range] : *table) {
    if (const auto there = find_mapper(uuid_of(names_, number)); !there || *there) continue;
    const auto wanted = table_of(node_, range);
    if (!wanted) continue;
    const auto made = make_mapper(fmt::format("{}-part{}", names_.name, number),
                                  uuid_of(names_, number), *wanted, MapperUse::of_users);
    if (made) {
      link(number, made->node());
    } else {
      log(Severity::warning, made.error().message());
    }
  }
}

}  // namespace dmremap::dm
