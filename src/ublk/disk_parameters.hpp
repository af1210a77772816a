// SPDX-License-Identifier: GPL-2.0-or-later
// What a ublk disk looks like to the kernel: sizes, limits, cache.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/units.hpp"
#include "ublk/abi.hpp"

namespace dmremap::ublk {

struct DiskParameters {
  SectorCount size;
  // Powers of two from 512 to 4096; the physical block may be larger.
  std::uint32_t logical_block_bytes = 512;
  std::uint32_t physical_block_bytes = 512;
  // 0: the physical block. The kernel takes powers of two only: another size becomes the largest
  // power of two that divides it.
  std::uint32_t io_min_bytes = 0;
  std::uint32_t io_opt_bytes = 0;
  bool rotational = false;
  bool volatile_cache = false;  // without it the kernel sends no flush and no FUA
  bool fua = false;             // else the kernel flushes after the write instead
  bool read_only = false;
  // Discards: 0 granularity, there are none. The maxima are of one request.
  std::uint32_t discard_granularity_bytes = 0;
  SectorCount discard_max{};
  SectorCount write_zeroes_max{};                // 0: the kernel writes zeros
  std::uint32_t request_bytes_max = 512 * 1024;  // of reads and writes; whole pages
};

// Errors (usage): sizes that the driver would refuse without a reason.
[[nodiscard]] Result<abi::Parameters> to_kernel(const DiskParameters& disk);
// The way back; io sizes come back as the kernel has them.
[[nodiscard]] DiskParameters from_kernel(const abi::Parameters& parameters);

}  // namespace dmremap::ublk
