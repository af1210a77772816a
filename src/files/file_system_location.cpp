// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/file_system_location.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include "os/sysfs.hpp"

namespace dmremap::files {

namespace {

using os::Storage;

// These answer FIEMAP with addresses that are, or can be turned into, those of their device.
bool is_known(const std::string& fs_type) {
  return fs_type == "ext2" || fs_type == "ext3" || fs_type == "ext4" || fs_type == "xfs" ||
         fs_type == "btrfs";
}

// The drivers of NTFS, exFAT and FAT answer nothing of the kind, or some of them do: ntfs-3g and
// exfat-fuse are "fuseblk", or "fuse" on an image.
bool is_read_from_device(const std::string& fs_type) {
  return fs_type == "ntfs" || fs_type == "ntfs3" || fs_type == "exfat" || fs_type == "vfat" ||
         fs_type == "msdos" || fs_type == "fuseblk" || fs_type == "fuse";
}

// The last one mounted there is the one that is seen.
std::optional<os::Mount> mount_at(const std::string& path, const os::KernelViews& views) {
  std::optional<os::Mount> out;
  for (os::Mount& mount : os::read_mounts(views.proc + "/self/mountinfo")) {
    if (mount.mount_point == path) out = std::move(mount);
  }
  return out;
}

// btrfs and a FUSE file system on an image have device numbers of their own; the source names the
// device.
std::optional<Storage> device_of(const os::Mount& mount) {
  if (mount.fs_type == "btrfs" || mount.fs_type == "fuse") return os::storage_of(mount.source);
  return Storage{mount.device, 0};
}

std::uint64_t number_in(const std::string& path) {
  const std::string text = os::read_attribute(path);
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

bool is_one_of(const Storage& storage, const std::vector<Storage>& exports) {
  return std::ranges::find(exports, storage) != exports.end();
}

// The window of `device` on an export: it is one, is a partition of one, or a loop device over one.
std::optional<SectorRange> window_on(const Storage& device, const std::vector<Storage>& exports,
                                     SectorCount size, const os::KernelViews& views) {
  if (is_one_of(device, exports) && !device.is_block_device()) return SectorRange{{0}, size};
  if (!device.is_block_device() || device.device == 0) return std::nullopt;
  const std::string sysfs = os::sysfs_directory_of(device.device, views.sys);
  const Storage disk{os::whole_disk_of(device.device, views), 0};
  SectorRange out{{0}, {number_in(sysfs + "/size")}};
  if (disk != device) out.first = {number_in(sysfs + "/start")};
  if (!is_one_of(disk, exports)) {
    const auto backing = os::loop_backing(disk.device, views);
    if (!backing) return std::nullopt;
    const auto file = os::storage_of(backing->path);
    if (!file || !is_one_of(*file, exports)) return std::nullopt;
    out.first = out.first + SectorCount::from_bytes(backing->offset);
  }
  return out.intersect({{0}, size});
}

Error not_here(const std::string& path, const os::Mount& mount, const Storage& device,
               const std::vector<Storage>& exports, const os::KernelViews& views) {
  for (const Storage& below : os::beneath(device, views)) {
    if (below == device || !is_one_of(below, exports)) continue;
    return {
        ErrorCode::not_supported,
        fmt::format("lies on the set through {} (LVM, encryption, RAID or a loop device): where "
                    "its files are on the set cannot be told",
                    mount.source),
        path, "`dmremap explain` and `dmremap bad export` tell of the sectors"};
  }
  return {ErrorCode::usage, "is not on this set: it lies on " + mount.source, path,
          "give a mount point of the set's device or of a partition of it"};
}

// A path at which the device of a mount can be opened: the one that was given to mount(8), if it
// still names it.
std::string path_of(const os::Mount& mount, const Storage& device) {
  if (os::storage_of(mount.source) == device) return mount.source;
  return fmt::format("/dev/block/{}:{}", major(device.device), minor(device.device));
}

// A device or image of the set that was named itself, not the place where it is mounted.
Result<FileSystemLocation> find_device(const std::string& path, const Storage& device,
                                       const std::vector<Storage>& served, SectorCount size,
                                       const os::KernelViews& views) {
  const auto window = window_on(device, served, size, views);
  if (!window) {
    return fail(ErrorCode::usage, "is not on this set", path,
                "give a mount point, or the set's device or a partition of it");
  }
  return FileSystemLocation{path, {}, *window, path, true};
}

}  // namespace

Result<FileSystemLocation> locate_file_system(const std::string& path,
                                              const std::vector<std::string>& exports,
                                              SectorCount size, const os::KernelViews& views) {
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).string();
  if (error) return fail_errno(error.value(), "look at it", path);
  std::vector<Storage> served;
  for (const std::string& where : exports) {
    if (const auto storage = os::storage_of(where)) served.push_back(*storage);
  }
  if (const auto named = os::storage_of(real)) {
    return find_device(real, *named, served, size, views);
  }
  const auto mount = mount_at(real, views);
  if (!mount) {
    return fail(ErrorCode::usage, "is no mount point", path,
                "give the directory on which the set's device, or a partition of it, is mounted");
  }
  const auto device = device_of(*mount);
  const auto window = device ? window_on(*device, served, size, views) : std::nullopt;
  if (!window) {
    return tl::unexpected(not_here(path, *mount, device.value_or(Storage{}), served, views));
  }
  const bool by_device = is_read_from_device(mount->fs_type);
  if (!is_known(mount->fs_type) && !by_device) {
    return fail(ErrorCode::not_supported, mount->fs_type + " does not say where its files are",
                path, "ext4, xfs, btrfs, NTFS, exFAT and FAT do");
  }
  return FileSystemLocation{real, mount->fs_type, *window, path_of(*mount, *device), by_device};
}

}  // namespace dmremap::files
