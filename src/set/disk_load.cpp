// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/disk_load.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include <unistd.h>

#include "base/parse.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::set {

std::optional<BlockStatistics> parse_block_statistics(std::string_view line) {
  // Reads, merged, sectors, ms, the same of writes, in flight (Documentation/block/stat.rst).
  std::istringstream in{std::string(line)};
  std::array<std::uint64_t, 9> fields{};
  for (std::uint64_t& field : fields) {
    if (!(in >> field)) return std::nullopt;
  }
  return BlockStatistics{fields[0] + fields[4], fields[8], (fields[3] + fields[7]) * 1'000'000};
}

DiskLoad::DiskLoad(const remap::Admin& engine, std::function<std::string()> main_path,
                   std::string sys)
    : engine_(engine), main_path_(std::move(main_path)), sys_(std::move(sys)) {}

std::string DiskLoad::disk_directory() const {
  const auto storage = os::storage_of(looked_up_);
  if (!storage || !storage->is_block_device()) return {};
  std::string out = os::sysfs_directory_of(storage->device, sys_);
  // The link leads to the disk's directory, or to the partition's within it.
  if (::access((out + "/partition").c_str(), F_OK) == 0) out += "/..";
  return out;
}

std::optional<BlockStatistics> DiskLoad::of_disk() {
  if (std::string path = main_path_(); path != looked_up_) {
    looked_up_ = std::move(path);
    directory_ = disk_directory();
    const auto kib = parse_number(os::read_attribute(directory_ + "/queue/max_sectors_kb"));
    most_bytes_ = kib.value_or(0) * kKiB;
  }
  if (directory_.empty() || os::read_attribute(directory_ + "/queue/iostats") == "0") {
    return std::nullopt;
  }
  return parse_block_statistics(os::read_attribute(directory_ + "/stat"));
}

health::Foreground DiskLoad::sample() {
  const auto disk = of_disk();
  if (!disk) {
    const remap::EngineCounts counts = engine_.counts();
    return {counts.reads + counts.writes + counts.flushes, 0, 0};
  }
  const std::uint64_t arrived = disk->done + disk->in_flight;
  return {arrived - std::min(arrived, own_requests_), disk->in_flight,
          disk->latency_ns - std::min(disk->latency_ns, own_latency_ns_)};
}

void DiskLoad::begin_own() {
  arrived_before_own_ = sample().arrived;
  has_own_ = true;
}

void DiskLoad::end_own(std::optional<std::uint64_t> requests, std::uint64_t bytes,
                       std::uint64_t latency_ns) {
  has_own_ = false;
  if (!of_disk()) return;
  const std::uint64_t arrived = sample().arrived;
  const std::uint64_t all = arrived - std::min(arrived, arrived_before_own_);
  std::uint64_t own = all;
  if (requests) {
    // The block layer cuts what is longer than the disk takes at once.
    const std::uint64_t cuts =
        most_bytes_ == 0 ? 1 : std::max<std::uint64_t>(1, (bytes + most_bytes_ - 1) / most_bytes_);
    own = std::min(all, std::max(*requests, *requests == 0 ? 0 : cuts));
  }
  own_requests_ += own;
  own_latency_ns_ += latency_ns;
}

}  // namespace dmremap::set
