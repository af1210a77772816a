// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the users of a device or an image, and the storage that it lies on, from /proc and /sys.
// The results may be out of date at once: only holding a device exclusively proves that no other
// process has it.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "os/mount_table.hpp"

namespace dmremap::os {

// The directories of the kernel's views. Tests use a made-up tree instead.
struct KernelViews {
  std::string sys = "/sys";
  std::string proc = "/proc";
};

// Identifies storage independently of its name: a block device (its own number, inode 0) or a file
// (the number of its file system and its inode). Paths are no identity; this is one until the next
// boot.
struct Storage {
  dev_t device = 0;
  ino_t inode = 0;

  [[nodiscard]] bool is_block_device() const { return inode == 0; }
  auto operator<=>(const Storage&) const = default;
};

// Empty if the path names neither or cannot be examined.
[[nodiscard]] std::optional<Storage> storage_of(const std::string& path);

// Mount points of the block device, in mount order. A file system with device numbers of its own
// (btrfs) is found by its source.
[[nodiscard]] std::vector<std::string> mounts_of(dev_t device, const KernelViews& views = {});
// Kernel devices built on the block device or on one of its partitions: "dm-0", "md127".
[[nodiscard]] std::vector<std::string> holders_of(dev_t device, const KernelViews& views = {});
[[nodiscard]] bool is_swap(const Storage& storage, const KernelViews& views = {});
// Loop devices whose backing file is this one: "/dev/loop3".
[[nodiscard]] std::vector<std::string> loop_devices_on(const std::string& path,
                                                       const KernelViews& views = {});
// The backing file of a loop device, or of the loop device that a partition lies on, and the part
// of it that is shown.
struct LoopBacking {
  std::string path;          // a file or a block device; may be gone, or of another mount namespace
  std::uint64_t offset = 0;  // bytes
  std::uint64_t size = 0;    // bytes; 0: to the end
};
// Empty if it is not a loop device.
[[nodiscard]] std::optional<LoopBacking> loop_backing(dev_t device, const KernelViews& views = {});
[[nodiscard]] bool overlap(const LoopBacking& a, const LoopBacking& b);

// Other processes that have it or its partitions open ("1234 fio"). Without root only one's own.
[[nodiscard]] std::vector<std::string> openers_of(const std::string& path,
                                                  const KernelViews& views = {});
// How long a device may be in use before that counts: programs such as udev look at one for a
// moment, and another dmremap, which looks at all devices for those of a set, for a while on a busy
// machine with slow disks. One for each wait, as who has it open may change from look to look. Not
// thread-safe.
class Patience {
 public:
  struct Limits {
    std::chrono::milliseconds moment{1'500};
    std::chrono::milliseconds look{15'000};  // of others of us, until the last of them is seen
  };
  Patience() = default;
  explicit Patience(Limits limits) : limits_(limits) {}

  // False: who waits shall give up. `openers`: who has it open now, as openers_of() tells; empty:
  // nobody that can be seen. `waited`: since the wait began.
  [[nodiscard]] bool lasts(const std::vector<std::string>& openers,
                           std::chrono::milliseconds waited);

 private:
  Limits limits_;
  std::chrono::milliseconds looked_at_until_{0};  // the last time that only others of us were seen
};

// All users of `path` in words for a message: "mounted on /home", "swap space", "held by dm-0",
// "attached to /dev/loop3", "opened by 1234 fio". The partitions of a whole disk count as its
// users.
[[nodiscard]] std::vector<std::string> uses_of(const std::string& path,
                                               const KernelViews& views = {});

// The storage itself and everything it lies on, nearest first: a partition on its disk, dm and md
// devices on their parts, a loop device on its file, a file on its file system's device.
[[nodiscard]] std::vector<Storage> beneath(const Storage& storage, const KernelViews& views = {});

// True if `path` is `base` or lies on it at any depth. If `path` does not exist, its directory
// decides. The same file system on *another* partition of base's disk does not count.
[[nodiscard]] bool is_stored_on(const std::string& path, const Storage& base,
                                const KernelViews& views = {});

// The device itself and, for a whole disk, its partitions.
[[nodiscard]] std::vector<dev_t> with_partitions(dev_t device, const KernelViews& views = {});
// The disk of a partition; the device itself if it is none.
[[nodiscard]] dev_t whole_disk_of(dev_t device, const KernelViews& views = {});
// True for two different block devices that lie on one disk.
[[nodiscard]] bool are_on_same_disk(dev_t a, dev_t b, const KernelViews& views = {});

}  // namespace dmremap::os
