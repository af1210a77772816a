// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/file_names.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/checksum.hpp"
#include "base/uuid.hpp"
#include "discovery/hardware.hpp"
#include "discovery/hardware_names.hpp"
#include "discovery/probe.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::discovery {

namespace {

using format::Fact;
using format::FactKind;

// Newer than the headers of Debian 12 (Linux 6.9, include/uapi/linux/fs.h; 6.8, linux/stat.h).
struct FileSystemUuid {
  std::uint8_t length;
  std::array<std::uint8_t, 16> bytes;
};
constexpr unsigned long kGetFileSystemUuid = _IOR(0x15, 0, FileSystemUuid);
// STATX_MNT_ID and STATX_MNT_ID_UNIQUE: a kernel that has the latter gives that.
constexpr unsigned kStatxMountIds = 0x1000U | 0x4000U;

std::string boot_id() {
  return os::read_attribute("/proc/sys/kernel/random/boot_id");
}

std::string hex(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return out;
}

// Short, and the same for the same text.
std::string digest(const std::string& text) {
  const Sha256 sum = sha256(std::as_bytes(std::span(text)));
  return hex(std::span(sum).first(16));
}

// Inode, generation and whatever else the file system tells its files apart by. Empty: it has no
// handles.
std::string handle_of(int fd) {
  // The kernel's structure ends in as many bytes as the file system needs.
  alignas(file_handle) std::array<std::byte, sizeof(file_handle) + MAX_HANDLE_SZ> buffer{};
  auto* const handle = reinterpret_cast<file_handle*>(buffer.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::name_to_handle_at(fd, "", handle, &mount, AT_EMPTY_PATH) != 0) return {};
  const std::span<const std::byte> bytes(buffer);
  return fmt::format("{}-{}", handle->handle_type,
                     hex(bytes.subspan(sizeof(file_handle), handle->handle_bytes)));
}

// The block device of the file system; none: it has no single one, or it cannot be told.
std::optional<dev_t> device_below(dev_t file_system) {
  if (major(file_system) != 0) return file_system;
  for (const os::Storage& below : os::beneath(os::Storage{file_system, 1})) {
    if (below.is_block_device()) return below.device;
  }
  return std::nullopt;
}

std::string probed_uuid(dev_t device) {
  const std::string node = os::read_attribute(os::sysfs_directory_of(device) + "/uevent");
  const std::string_view key = "DEVNAME=";
  const auto at = node.find(key);
  if (at == std::string::npos) return {};
  const std::string name = node.substr(at + key.size(), node.find('\n', at) - at - key.size());
  const auto opened =
      io::FileDevice::open("/dev/" + name, {io::Access::read_only, io::Holding::shared});
  if (!opened) return {};
  auto probe = Probe::open(**opened);
  if (!probe) return {};
  ::blkid_probe_enable_superblocks(probe->get(), 1);
  ::blkid_probe_set_superblocks_flags(probe->get(), BLKID_SUBLKS_UUID);
  return ::blkid_do_safeprobe(probe->get()) == 0 ? probe->value("UUID") : std::string();
}

std::string uuid_of_file_system(int fd, dev_t device) {
  FileSystemUuid uuid{};
  if (::ioctl(fd, kGetFileSystemUuid, &uuid) == 0 && uuid.length == uuid.bytes.size()) {
    return hex(std::as_bytes(std::span(uuid.bytes)));
  }
  std::string text = udev_property(device, "ID_FS_UUID");
  if (text.empty()) text = probed_uuid(device);
  std::erase(text, '-');
  return text;
}

std::string image_name(int fd, dev_t file_system, const std::string& handle) {
  const auto device = device_below(file_system);
  if (handle.empty() || !device) return {};
  const std::string disk = own_name_of_disk(*device);
  const std::string uuid = uuid_of_file_system(fd, *device);
  if (disk.empty() || uuid.empty()) return {};
  return digest(fmt::format("{} {} {}", disk, uuid, handle));
}

}  // namespace

std::vector<Fact> file_names(int fd, const std::string& suffix) {
  struct statx facts {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME | kStatxMountIds, &facts) != 0) {
    return {};
  }
  std::vector<Fact> out;
  const dev_t file_system = makedev(facts.stx_dev_major, facts.stx_dev_minor);
  const std::string handle = handle_of(fd);
  if (auto image = image_name(fd, file_system, handle); !image.empty()) {
    out.push_back({FactKind::image, image + suffix});
  }
  const std::string boot = boot_id();
  if (boot.empty()) return out;
  // Numbers of inodes and of file systems without a device are given again.
  std::string file = fmt::format("{}:{} {} {} {}", facts.stx_dev_major, facts.stx_dev_minor,
                                 facts.stx_ino, handle, facts.stx_btime.tv_sec);
  if (facts.stx_dev_major == 0) file += fmt::format(" {}", facts.stx_mnt_id);
  out.push_back({FactKind::attachment, fmt::format("{}/file {}{}", boot, digest(file), suffix)});
  return out;
}

std::string attachment_of_disk(int fd) {
  std::uint64_t sequence = 0;
  const std::string boot = boot_id();
  if (boot.empty() || ::ioctl(fd, BLKGETDISKSEQ, &sequence) != 0 || sequence == 0) return {};
  return fmt::format("{}/disk {}", boot, sequence);
}

}  // namespace dmremap::discovery
