// SPDX-License-Identifier: GPL-2.0-or-later
// How much others ask of the disk that main lies on: what the scanner must not get in the way of.
//
// The block layer counts the requests to the whole disk, other partitions included. What the
// scanner asks itself is taken off. For an image file, and where the block layer does not count,
// the engine's own requests are all that is known.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "health/pace.hpp"
#include "remap/admin.hpp"

namespace dmremap::set {

// A line of /sys/block/*/stat. Empty if it is none.
struct BlockStatistics {
  std::uint64_t done = 0;  // reads and writes
  std::uint64_t in_flight = 0;
  std::uint64_t latency_ns = 0;  // of those done, all together
};
[[nodiscard]] std::optional<BlockStatistics> parse_block_statistics(std::string_view line);

// One thread at a time.
class DiskLoad {
 public:
  // `main_path`: where main is now; it may change. `engine` outlives this.
  DiskLoad(const remap::Admin& engine, std::function<std::string()> main_path,
           std::string sys = "/sys");

  [[nodiscard]] health::Foreground sample();
  // True between the two calls below: then sample() counts the scanner's own requests, too.
  [[nodiscard]] bool has_own() const { return has_own_; }

  // Between these two the scanner reads. `requests`: how many reads of main that were, together of
  // so many bytes; empty if nobody knows: then all that came meanwhile counts as the scanner's own.
  void begin_own();
  void end_own(std::optional<std::uint64_t> requests, std::uint64_t bytes,
               std::uint64_t latency_ns);

 private:
  [[nodiscard]] std::optional<BlockStatistics> of_disk();
  // The directory in sysfs of the whole disk; empty for a file.
  [[nodiscard]] std::string disk_directory() const;

  const remap::Admin& engine_;
  const std::function<std::string()> main_path_;
  const std::string sys_;
  std::string looked_up_;  // the path that directory_ belongs to
  std::string directory_;
  std::uint64_t most_bytes_ = 0;  // that the disk takes at once; 0: not known
  std::uint64_t own_requests_ = 0;
  std::uint64_t own_latency_ns_ = 0;
  std::uint64_t arrived_before_own_ = 0;
  bool has_own_ = false;
};

}  // namespace dmremap::set
