// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/usage.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "os/sysfs.hpp"

namespace dmremap::os {

namespace {

// Like stat(2), but asks no server: a hung FUSE or network file system must not hang this process.
std::optional<Storage> look_at(int directory, const char* path, unsigned int* mode = nullptr) {
  struct statx facts {};
  if (::statx(directory, path, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &facts) != 0) {
    return std::nullopt;
  }
  if (mode != nullptr) *mode = facts.stx_mode;
  if (S_ISBLK(facts.stx_mode)) return Storage{makedev(facts.stx_rdev_major, facts.stx_rdev_minor)};
  return Storage{makedev(facts.stx_dev_major, facts.stx_dev_minor), facts.stx_ino};
}

std::vector<Mount> mounts(const KernelViews& views) {
  return read_mounts(views.proc + "/self/mountinfo");
}

bool is_mount_of(const Mount& mount, dev_t device) {
  if (mount.device == device) return true;
  // Device numbers without a driver (major 0) belong to the file system, not to a device.
  if (major(mount.device) != 0 || !mount.source.starts_with('/')) return false;
  return storage_of(mount.source) == Storage{device};
}

// A file system with a device number of its own (btrfs, overlay) lies on the source of its mount.
dev_t device_of_file_system(dev_t device, const KernelViews& views) {
  if (major(device) != 0) return device;
  for (const Mount& mount : mounts(views)) {
    if (mount.device != device || !mount.source.starts_with('/')) continue;
    const auto source = storage_of(mount.source);
    if (source && source->is_block_device()) return source->device;
  }
  return device;
}

// The storage that lies directly below: the device of a file, the disk of a partition, the parts of
// a dm or md device, the file of a loop device.
std::vector<Storage> directly_beneath(const Storage& storage, const KernelViews& views) {
  if (!storage.is_block_device()) return {Storage{device_of_file_system(storage.device, views)}};
  std::vector<Storage> below;
  const std::string directory = sysfs_directory_of(storage.device, views.sys);
  const dev_t disk = whole_disk_of(storage.device, views);
  if (disk != storage.device) below.push_back(Storage{disk});
  for (const std::string& name : names_in(directory + "/slaves")) {
    const auto part =
        parse_device_number(read_attribute(fmt::format("{}/slaves/{}/dev", directory, name)));
    if (part) below.push_back(Storage{*part});
  }
  const std::string backing_file = read_attribute(directory + "/loop/backing_file");
  if (!backing_file.empty()) {
    if (const auto file = storage_of(backing_file)) below.push_back(*file);
  }
  return below;
}

}  // namespace

std::vector<dev_t> with_partitions(dev_t device, const KernelViews& views) {
  std::vector<dev_t> all{device};
  const std::string directory = sysfs_directory_of(device, views.sys);
  for (const std::string& name : names_in(directory)) {
    const std::string part = fmt::format("{}/{}", directory, name);
    if (read_attribute(part + "/partition").empty()) continue;
    const auto number = parse_device_number(read_attribute(part + "/dev"));
    if (number) all.push_back(*number);
  }
  return all;
}

std::optional<Storage> storage_of(const std::string& path) {
  unsigned int mode = 0;
  const auto storage = look_at(AT_FDCWD, path.c_str(), &mode);
  if (!S_ISBLK(mode) && !S_ISREG(mode)) return std::nullopt;
  return storage;
}

std::vector<std::string> mounts_of(dev_t device, const KernelViews& views) {
  std::vector<std::string> mount_points;
  for (Mount& mount : mounts(views)) {
    if (is_mount_of(mount, device)) mount_points.push_back(std::move(mount.mount_point));
  }
  return mount_points;
}

std::vector<std::string> holders_of(dev_t device, const KernelViews& views) {
  std::vector<std::string> holders;
  for (const dev_t part : with_partitions(device, views)) {
    for (std::string& name : names_in(sysfs_directory_of(part, views.sys) + "/holders")) {
      if (std::ranges::find(holders, name) == holders.end()) holders.push_back(std::move(name));
    }
  }
  return holders;
}

bool is_swap(const Storage& storage, const KernelViews& views) {
  for (const std::string& path : read_swaps(views.proc + "/swaps")) {
    if (storage_of(path) == storage) return true;
  }
  return false;
}

std::vector<std::string> loop_devices_on(const std::string& path, const KernelViews& views) {
  std::vector<std::string> loops;
  const auto image = storage_of(path);
  if (!image) return loops;
  for (const std::string& name : names_in(views.sys + "/block")) {
    if (!name.starts_with("loop")) continue;
    const std::string backing_file =
        read_attribute(views.sys + "/block/" + name + "/loop/backing_file");
    if (!backing_file.empty() && storage_of(backing_file) == image) loops.push_back("/dev/" + name);
  }
  return loops;
}

std::optional<LoopBacking> loop_backing(dev_t device, const KernelViews& views) {
  const std::string loop = sysfs_directory_of(whole_disk_of(device, views), views.sys) + "/loop/";
  LoopBacking out{read_attribute(loop + "backing_file")};
  if (out.path.empty()) return std::nullopt;
  const auto number = [&](const char* name) {
    return std::strtoull(read_attribute(loop + name).c_str(), nullptr, 10);
  };
  out.offset = number("offset");
  out.size = number("sizelimit");
  return out;
}

bool overlap(const LoopBacking& a, const LoopBacking& b) {
  // A size of 0 means that the view reaches to the end of its file.
  const auto ends_before = [](const LoopBacking& one, const LoopBacking& other) {
    return one.size != 0 && one.offset + one.size <= other.offset;
  };
  return !ends_before(a, b) && !ends_before(b, a);
}

std::vector<std::string> openers_of(const std::string& path, const KernelViews& views) {
  std::vector<std::string> openers;
  const auto storage = storage_of(path);
  if (!storage) return openers;
  std::vector<Storage> wanted{*storage};
  if (storage->is_block_device()) {
    wanted.clear();
    for (const dev_t part : with_partitions(storage->device, views)) wanted.push_back({part, 0});
  }
  const std::string own = std::to_string(::getpid());
  for (const std::string& pid : names_in(views.proc)) {
    if (pid == own || pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string descriptors = views.proc + "/" + pid + "/fd/";
    const auto names = names_in(descriptors);
    const bool has_it = std::ranges::any_of(names, [&](const std::string& name) {
      const auto opened = look_at(AT_FDCWD, (descriptors + name).c_str());
      return opened && std::ranges::find(wanted, *opened) != wanted.end();
    });
    if (!has_it) continue;
    openers.push_back(fmt::format("{} {}", pid, read_attribute(views.proc + "/" + pid + "/comm")));
  }
  return openers;
}

bool Patience::lasts(const std::vector<std::string>& openers, std::chrono::milliseconds waited) {
  const bool is_looked_at =
      !openers.empty() && std::ranges::all_of(openers, [](const std::string& opener) {
        return opener.ends_with(" dmremap");
      });
  if (is_looked_at && waited < limits_.look) looked_at_until_ = waited;
  return waited < looked_at_until_ + limits_.moment;
}

std::vector<std::string> uses_of(const std::string& path, const KernelViews& views) {
  std::vector<std::string> uses;
  const auto storage = storage_of(path);
  if (!storage) return uses;
  std::vector<Storage> parts{*storage};
  if (storage->is_block_device()) {
    parts.clear();
    for (const dev_t part : with_partitions(storage->device, views)) parts.push_back(Storage{part});
  }
  for (const Storage& part : parts) {
    if (is_swap(part, views)) uses.emplace_back("swap space");
    if (!part.is_block_device()) continue;
    for (const auto& where : mounts_of(part.device, views)) uses.push_back("mounted on " + where);
  }
  if (storage->is_block_device()) {
    for (const auto& name : holders_of(storage->device, views)) uses.push_back("held by " + name);
  }
  for (const auto& loop : loop_devices_on(path, views)) uses.push_back("attached to " + loop);
  for (const auto& who : openers_of(path, views)) uses.push_back("opened by " + who);
  return uses;
}

std::vector<Storage> beneath(const Storage& storage, const KernelViews& views) {
  // Each storage is visited once, so a cycle in the kernel's views ends the walk too.
  std::vector<Storage> found{storage};
  for (std::size_t next = 0; next < found.size(); ++next) {
    for (const Storage& below : directly_beneath(found[next], views)) {
      if (std::ranges::find(found, below) == found.end()) found.push_back(below);
    }
  }
  return found;
}

bool is_stored_on(const std::string& path, const Storage& base, const KernelViews& views) {
  auto storage = storage_of(path);
  if (!storage) {
    const auto directory = std::filesystem::path(path).parent_path();
    storage = look_at(AT_FDCWD, directory.empty() ? "." : directory.c_str());
  }
  if (!storage) return false;
  const auto below = beneath(*storage, views);
  return std::ranges::find(below, base) != below.end();
}

dev_t whole_disk_of(dev_t device, const KernelViews& views) {
  const std::string directory = sysfs_directory_of(device, views.sys);
  if (read_attribute(directory + "/partition").empty()) return device;
  // The directory is a link to the partition's, which lies in that of its disk.
  const auto disk = parse_device_number(read_attribute(directory + "/../dev"));
  return disk.value_or(device);
}

bool are_on_same_disk(dev_t a, dev_t b, const KernelViews& views) {
  return a != b && whole_disk_of(a, views) == whole_disk_of(b, views);
}

}  // namespace dmremap::os
