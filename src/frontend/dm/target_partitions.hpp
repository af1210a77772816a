// SPDX-License-Identifier: GPL-2.0-or-later
// The partitions of the kernel target: the kernel makes none on a device of device mapper, so each
// is a device of dm-linear over the target, NAME-partN, with the link /dev/dm-remap/NAME-partN.
// They are known by their UUIDs, DMREMAP-<set>-partN. A kill leaves them as they are, in use or
// not; the next process goes on with them.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/file_descriptor.hpp"
#include "base/periodic_thread.hpp"
#include "base/result.hpp"
#include "frontend/dm/mapper_device.hpp"
#include "frontend/dm/set_mappers.hpp"
#include "remap/disk.hpp"

namespace dmremap::dm {

// Those that there are of the set, by number.
[[nodiscard]] std::map<std::uint64_t, MapperStatus> partition_mappers(const SetMappers& names);
// Removes all of them, or none if one is in use: device_in_use names its users.
[[nodiscard]] Result<void> remove_partition_mappers(const SetMappers& names);

// Thread-safe, but for stop().
class TargetPartitions {
 public:
  // `disk` outlives this. `node`: of the target, which is live and served. `link`: to that; empty:
  // no links. Makes the partitions that there are, and others within a second of when somebody has
  // made them.
  TargetPartitions(remap::Disk& disk, SetMappers names, std::string node, std::string link);
  ~TargetPartitions();
  TargetPartitions(const TargetPartitions&) = delete;
  TargetPartitions& operator=(const TargetPartitions&) = delete;

  // How many openers of the target these are.
  [[nodiscard]] unsigned count() const;
  // Fails with device_in_use, naming the users of one.
  [[nodiscard]] Result<void> check_unused() const;
  // Removes all of them, or none: device_in_use. Follows nothing any more.
  Result<void> stop();

 private:
  void follow();
  [[nodiscard]] bool was_closed_by_a_writer() const;
  [[nodiscard]] bool may_have_changed();
  void link(std::uint64_t number, const std::string& node);
  void unlink_all();

  remap::Disk& disk_;
  const SetMappers names_;
  const std::string node_;
  const std::string link_;
  const FileDescriptor closings_;  // of the target by those who could write; inotify
  // Of the thread that follows.
  AlignedBuffer start_;  // of the device, as it was last
  bool is_first_ = true;
  bool is_spread_ = false;    // the table is not in the start alone
  mutable std::mutex mutex_;  // guards what is below, and the devices
  bool stopped_ = false;
  bool is_pending_ = true;                      // the devices may differ from the table
  std::map<std::uint64_t, std::string> links_;  // nodes, by number
  PeriodicThread thread_;                       // ends first
};

}  // namespace dmremap::dm
