// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/ublk/disk_shape.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/parse.hpp"
#include "os/sysfs.hpp"

namespace dmremap::frontend {

namespace {

// A discard is a note to the disk. Zeroes may have to be written by it, and a request has a
// deadline.
constexpr std::uint64_t kMostDiscardBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kMostZeroBytes = std::uint64_t{32} << 20;

// The limits of one disk as /sys shows them; what is missing is 0.
class QueueLimits {
 public:
  explicit QueueLimits(std::string directory) : directory_(std::move(directory)) {}
  [[nodiscard]] std::uint64_t bytes(std::string_view name) const {
    return parse_number(os::read_attribute(directory_ + std::string(name))).value_or(0);
  }
  [[nodiscard]] std::uint32_t small(std::string_view name) const {
    const std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::min(bytes(name), most));
  }

 private:
  std::string directory_;
};

SectorCount whole_blocks(std::uint64_t bytes, std::uint64_t most, std::uint32_t block) {
  return SectorCount::from_bytes(align_down(std::min(bytes, most), block));
}

}  // namespace

ublk::DiskParameters disk_shape(const std::string& main_path, const io::Geometry& geometry,
                                bool read_only, const os::KernelViews& views) {
  ublk::DiskParameters out;
  out.size = geometry.size;
  out.logical_block_bytes = geometry.logical_block_bytes;
  out.physical_block_bytes = geometry.physical_block_bytes;
  out.read_only = read_only;
  out.volatile_cache = !read_only;
  out.fua = !read_only;
  const std::uint32_t block = geometry.logical_block_bytes;
  const auto storage = os::storage_of(main_path);
  if (storage && storage->is_block_device()) {
    const QueueLimits limits(
        os::sysfs_directory_of(os::whole_disk_of(storage->device, views), views.sys) + "/queue/");
    out.rotational = limits.bytes("rotational") != 0;
    out.io_min_bytes = limits.small("minimum_io_size");
    out.io_opt_bytes = limits.small("optimal_io_size");
    out.discard_granularity_bytes = limits.small("discard_granularity");
    out.discard_max = whole_blocks(limits.bytes("discard_max_bytes"), kMostDiscardBytes, block);
    out.write_zeroes_max =
        whole_blocks(limits.bytes("write_zeroes_max_bytes"), kMostZeroBytes, block);
  } else {
    out.discard_granularity_bytes = geometry.physical_block_bytes;
    out.discard_max = SectorCount::from_bytes(kMostDiscardBytes);
    out.write_zeroes_max = SectorCount::from_bytes(kMostZeroBytes);
  }
  if (read_only || out.discard_max.value == 0 || out.discard_granularity_bytes == 0) {
    out.discard_max = {};
    out.discard_granularity_bytes = 0;
  }
  if (read_only) out.write_zeroes_max = {};
  return out;
}

}  // namespace dmremap::frontend
