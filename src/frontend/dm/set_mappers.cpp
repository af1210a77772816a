// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/set_mappers.hpp"

#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.hpp"
#include "frontend/dm/target_partitions.hpp"
#include "io/file_device.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::dm {

namespace {

// The table of NAME-main over `main`; what kind of main cannot be served is refused here.
Result<MapperTable> table_over(const std::string& main) {
  struct stat facts {};
  if (::stat(main.c_str(), &facts) != 0) return fail_errno(errno, "look at", main);
  if (!S_ISBLK(facts.st_mode)) {
    return fail(ErrorCode::not_supported, "is an image: `--export dm` takes a block device as main",
                main, "attach it with losetup, or use `--export ublk`");
  }
  const std::string disk = os::sysfs_directory_of(os::whole_disk_of(facts.st_rdev));
  const std::string zoned = os::read_attribute(disk + "/queue/zoned");
  if (!zoned.empty() && zoned != "none") {
    return fail(ErrorCode::not_supported, "is a zoned disk, which the kernel target does not serve",
                main, "use `--export ublk`");
  }
  // Of the size that the engine serves, whole blocks.
  const auto device = io::FileDevice::open(main, {io::Access::read_only, io::Holding::shared});
  if (!device) return failure_of(device);
  return MapperTable{"linear", (*device)->geometry().size,
                     fmt::format("{}:{} 0", major(facts.st_rdev), minor(facts.st_rdev))};
}

// All tables of device mapper count as one holder for the kernel: that a table could be loaded does
// not say that no other one is over main.
Result<void> check_holders(const SetMappers& names, const std::string& main) {
  const auto storage = os::storage_of(main);
  if (!storage) return fail(ErrorCode::no_such_device, "is gone", main);
  for (const std::string& holder : os::holders_of(storage->device)) {
    const std::string uuid = os::read_attribute(fmt::format("/sys/class/block/{}/dm/uuid", holder));
    if (uuid == names.uuid || uuid == names.main_uuid) continue;
    return fail(ErrorCode::device_in_use, fmt::format("is in use: held by {}", holder), main,
                "end that use first");
  }
  return {};
}

}  // namespace

SetMappers mappers_of(const std::string& set_name, const Uuid& set) {
  const std::string uuid = "DMREMAP-" + to_string(set);
  return {set_name, uuid, set_name + "-main", uuid + "-main"};
}

Result<LeftMappers> find_left_mappers(const SetMappers& names) {
  // Opening its control device would load it.
  if (::access("/sys/module/dm_mod", F_OK) != 0) return LeftMappers{};
  auto target = find_mapper(names.uuid);
  // Who may not ask could not have made any.
  if (!target && target.error().code == ErrorCode::permission) return LeftMappers{};
  if (!target) return failure_of(target);
  auto main = find_mapper(names.main_uuid);
  if (!main) return failure_of(main);
  return LeftMappers{*target, *main};
}

bool has_engine_device(const SetMappers& names) {
  const auto table = mapper_table(names.uuid);
  if (!table) return false;
  const std::size_t first = table->parameters.find(' ');
  const std::string rest =
      first == std::string::npos ? std::string() : table->parameters.substr(first + 1);
  return !is_gone(rest.substr(0, rest.find(' ')));
}

bool is_gone(const std::string& device) {
  const auto number = os::parse_device_number(device);
  return !number || os::read_attribute(os::sysfs_directory_of(*number) + "/dev").empty();
}

namespace {

// A partition that nobody uses is no use of the target, though it holds it.
std::vector<std::string> uses_with_partitions(const SetMappers& names, const std::string& node) {
  std::vector<std::string> out = os::uses_of(node);
  for (const auto& [number, status] : partition_mappers(names)) {
    std::erase(out, fmt::format("held by dm-{}", minor(status.device)));
    for (const std::string& use : os::uses_of(status.node())) {
      out.push_back(fmt::format("partition {}: {}", number, use));
    }
  }
  return out;
}

}  // namespace

Result<void> clear_left_mappers(const SetMappers& names, const LeftMappers& left) {
  if (left.target) {
    auto removed = remove_partition_mappers(names);
    if (removed) removed = remove_mapper(names.uuid);
    if (!removed && removed.error().code == ErrorCode::device_in_use) {
      const std::string node = left.target->node();
      return fail(ErrorCode::leftovers_in_use,
                  fmt::format("left behind by an earlier run and still in use: {}",
                              fmt::join(uses_with_partitions(names, node), ", ")),
                  node,
                  has_engine_device(names)
                      ? "`--export dm` takes it over, and its users go on"
                      : "its engine device was removed: end that use, then try again");
    }
    if (!removed) return removed;
  }
  return left.main ? remove_mapper(names.main_uuid) : Result<void>();
}

Result<std::unique_ptr<MainMapper>> MainMapper::take(const SetMappers& names,
                                                     const std::string& main) {
  const auto table = table_over(main);
  if (!table) return failure_of(table);
  const auto left = find_mapper(names.main_uuid);
  if (!left) return failure_of(left);
  if (auto alone = check_holders(names, main); !alone) return failure_of(alone);
  if (*left && (*left)->has_table) {
    const auto was = mapper_table(names.main_uuid);
    if (!was) return failure_of(was);
    if (*was == *table) {
      // A run that was killed while it exchanged the table may have left another one that is not
      // live yet, and a device whose requests wait: resumed as it is, it would get that one.
      if (auto forgotten = forget_loaded_table(names.main_uuid); !forgotten) {
        return failure_of(forgotten);
      }
      if (auto resumed = resume_mapper(names.main_uuid); !resumed) return failure_of(resumed);
      return std::unique_ptr<MainMapper>(new MainMapper(names, (*left)->node()));
    }
  }
  if (*left) {
    // Over another node, where main was before, or never finished.
    if (auto removed = remove_mapper(names.main_uuid); !removed) return failure_of(removed);
  }
  {
    // The error says who uses it.
    const auto free = io::FileDevice::open(main, {io::Access::read_write, io::Holding::exclusive});
    if (!free) return failure_of(free);
  }
  auto made = make_mapper(names.main_name, names.main_uuid, *table, MapperUse::of_the_set);
  if (!made) return failure_of(made);
  std::unique_ptr<MainMapper> out(new MainMapper(names, made->node()));
  if (auto alone = check_holders(names, main); !alone) return failure_of(alone);
  return out;
}

// Of main under another node. While this is open nobody else holds what it holds: a process that
// died here is waited for as ever.
Result<void> MainMapper::hold(const std::string& path, SectorCount size) {
  auto table = table_over(path);
  if (!table) return failure_of(table);
  table->size = size;
  const std::lock_guard lock(mutex_);
  if (is_over_) return fail(ErrorCode::not_running, "is being stopped", names_.main_name);
  if (auto alone = check_holders(names_, path); !alone) return alone;
  return exchange_table(names_.main_uuid, *table, MapperUse::of_the_set);
}

void MainMapper::let_go() {
  const std::lock_guard lock(mutex_);
  const auto was = mapper_table(names_.main_uuid);
  if (is_over_ || !was) return;
  const auto gone =
      exchange_table(names_.main_uuid, {"error", was->size, ""}, MapperUse::of_the_set);
  if (!gone) log(Severity::warning, gone.error().message());
}

void MainMapper::end() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(is_over_, true)) return;
  const auto target = find_mapper(names_.uuid);
  if (!target || *target) return;
  if (auto removed = remove_mapper_when_closed(names_.main_uuid); !removed) {
    log(Severity::warning, removed.error().message());
  }
}

}  // namespace dmremap::dm
