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
  const auto device = os::parse_device_number(rest.substr(0, rest.find(' ')));
  return device && !os::read_attribute(os::sysfs_directory_of(*device) + "/dev").empty();
}

Result<void> clear_left_mappers(const SetMappers& names, const LeftMappers& left) {
  if (left.target) {
    auto removed = remove_mapper(names.uuid);
    if (!removed && removed.error().code == ErrorCode::device_in_use) {
      const std::string node = left.target->node();
      return fail(ErrorCode::leftovers_in_use,
                  fmt::format("left behind by an earlier run and still in use: {}",
                              fmt::join(os::uses_of(node), ", ")),
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

MainMapper::~MainMapper() {
  const auto target = find_mapper(names_.uuid);
  if (!target || *target) return;
  if (auto removed = remove_mapper_when_closed(names_.main_uuid); !removed) {
    log(Severity::warning, removed.error().message());
  }
}

}  // namespace dmremap::dm
