// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/partition_table.hpp"

#include <algorithm>

#include "base/aligned_buffer.hpp"
#include "discovery/probe.hpp"
#include "io/file_device.hpp"

namespace dmremap::dm {

namespace {

constexpr SectorCount kExtendedShown{2};
// Where tables begin, with blocks of 4 KiB too.
constexpr SectorCount kStart{64};

// True if there may be a table, though libblkid shows none: a part of it cannot be read. libblkid
// says so of most parts, but not of a GPT's header: where that does not read, it sees no table at
// all.
bool is_unreadable(io::FileDevice& device, blkid_probe probe) {
  AlignedBuffer start(std::min(kStart, device.geometry().size).bytes());
  if (!device.read({0}, start.span()).ok()) return true;
  // -2: several tables contradict each other, which is none.
  const int outcome = ::blkid_do_safeprobe(probe);
  return outcome < 0 && outcome != -2;
}

}  // namespace

Result<PartitionTable> read_partition_table(const std::string& path) {
  const auto device = io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
  if (!device) return failure_of(device);
  const auto probe = discovery::Probe::open(**device);
  if (!probe) return failure_of(probe);
  ::blkid_probe_enable_superblocks(probe->get(), 0);
  ::blkid_probe_enable_partitions(probe->get(), 1);
  auto* const list = ::blkid_probe_get_partitions(probe->get());
  PartitionTable out;
  if (list == nullptr) {
    if (is_unreadable(**device, probe->get())) {
      return fail(ErrorCode::io, "the partition table cannot be read", path);
    }
    return out;
  }
  const SectorRange whole{{0}, (*device)->geometry().size};
  for (int i = 0; i < ::blkid_partlist_numof_partitions(list); ++i) {
    auto* const one = ::blkid_partlist_get_partition(list, i);
    const int number = ::blkid_partition_get_partno(one);
    const auto first = static_cast<std::uint64_t>(::blkid_partition_get_start(one));
    SectorCount count{static_cast<std::uint64_t>(::blkid_partition_get_size(one))};
    if (::blkid_partition_is_extended(one) != 0) count = std::min(count, kExtendedShown);
    // A table may say anything: what reaches beyond the device is none of its parts.
    if (number <= 0 || count.value == 0 || first >= whole.count.value ||
        count.value > whole.count.value - first) {
      continue;
    }
    out[static_cast<std::uint64_t>(number)] = {{first}, count};
  }
  return out;
}

}  // namespace dmremap::dm
