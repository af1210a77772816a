// SPDX-License-Identifier: GPL-2.0-or-later
#include "ublk/disk_parameters.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include <fmt/format.h>

namespace dmremap::ublk {

namespace {

std::uint8_t shift_of(std::uint32_t power_of_two) {
  return static_cast<std::uint8_t>(std::countr_zero(power_of_two));
}

// The largest power of two that divides an I/O size; `fallback` if there is none or it is smaller.
std::uint8_t io_shift(std::uint32_t bytes, std::uint32_t fallback) {
  if (bytes == 0) return shift_of(fallback);
  return std::max(shift_of(bytes), shift_of(fallback));
}

// The driver's limits have 32 bits, and stay whole blocks when they are cut.
std::uint32_t limit_of(SectorCount most, std::uint32_t block_bytes) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(
      align_down(std::min(most.value, kMost), std::max<std::uint64_t>(block_bytes / 512, 1)));
}

Result<void> check(const DiskParameters& disk) {
  const auto wrong = [](std::string what) -> Result<void> {
    return fail(ErrorCode::usage, std::move(what), {}, "a ublk disk cannot be made like that");
  };
  const std::uint32_t logical = disk.logical_block_bytes;
  const std::uint32_t physical = disk.physical_block_bytes;
  if (!std::has_single_bit(logical) || logical < kSectorBytes || logical > abi::kPage) {
    return wrong(fmt::format("a logical block of {} bytes", logical));
  }
  if (!std::has_single_bit(physical) || physical < logical) {
    return wrong(fmt::format("a physical block of {} bytes", physical));
  }
  if (disk.size.value == 0 || disk.size.bytes() % logical != 0) {
    return wrong(fmt::format("a size of {} sectors", disk.size.value));
  }
  if (disk.request_bytes_max < abi::kPage || disk.request_bytes_max % abi::kPage != 0 ||
      disk.request_bytes_max > abi::kRequestBytesMax) {
    return wrong(fmt::format("requests of {} bytes", disk.request_bytes_max));
  }
  return {};
}

}  // namespace

Result<abi::Parameters> to_kernel(const DiskParameters& disk) {
  if (const auto good = check(disk); !good) return failure_of(good);
  abi::Parameters out;
  out.types = abi::kTypeBasic;
  abi::BasicParameters& basic = out.basic;
  basic.attributes = (disk.read_only ? abi::kAttributeReadOnly : 0) |
                     (disk.rotational ? abi::kAttributeRotational : 0) |
                     (disk.volatile_cache ? abi::kAttributeVolatileCache : 0) |
                     (disk.volatile_cache && disk.fua ? abi::kAttributeFua : 0);
  basic.logical_block_shift = shift_of(disk.logical_block_bytes);
  basic.physical_block_shift = shift_of(disk.physical_block_bytes);
  basic.io_min_shift = io_shift(disk.io_min_bytes, disk.physical_block_bytes);
  basic.io_opt_shift = io_shift(disk.io_opt_bytes, disk.physical_block_bytes);
  basic.request_sectors_max =
      static_cast<std::uint32_t>(SectorCount::from_bytes(disk.request_bytes_max).value);
  basic.device_sectors = disk.size.value;
  if (disk.discard_granularity_bytes != 0 || disk.write_zeroes_max.value != 0) {
    out.types |= abi::kTypeDiscard;
    abi::DiscardParameters& discard = out.discard;
    // The driver wants a granularity also of a disk that only writes zeroes.
    discard.granularity = disk.discard_granularity_bytes != 0 ? disk.discard_granularity_bytes
                                                              : disk.logical_block_bytes;
    if (disk.discard_granularity_bytes != 0) {
      discard.discard_sectors_max = limit_of(disk.discard_max, disk.logical_block_bytes);
    }
    discard.write_zeroes_sectors_max = limit_of(disk.write_zeroes_max, disk.logical_block_bytes);
    discard.segments_max = 1;  // the driver takes no other number
  }
  return out;
}

DiskParameters from_kernel(const abi::Parameters& parameters) {
  const abi::BasicParameters& basic = parameters.basic;
  const auto has = [&basic](std::uint32_t attribute) {
    return (basic.attributes & attribute) != 0;
  };
  DiskParameters out;
  out.size = {basic.device_sectors};
  out.logical_block_bytes = 1U << basic.logical_block_shift;
  out.physical_block_bytes = 1U << basic.physical_block_shift;
  out.io_min_bytes = 1U << basic.io_min_shift;
  out.io_opt_bytes = 1U << basic.io_opt_shift;
  out.rotational = has(abi::kAttributeRotational);
  out.volatile_cache = has(abi::kAttributeVolatileCache);
  out.fua = has(abi::kAttributeFua);
  out.read_only = has(abi::kAttributeReadOnly);
  out.request_bytes_max = basic.request_sectors_max * static_cast<std::uint32_t>(kSectorBytes);
  if ((parameters.types & abi::kTypeDiscard) != 0) {
    const abi::DiscardParameters& discard = parameters.discard;
    out.discard_max = {discard.discard_sectors_max};
    if (discard.discard_sectors_max != 0) out.discard_granularity_bytes = discard.granularity;
    out.write_zeroes_max = {discard.write_zeroes_sectors_max};
  }
  return out;
}

}  // namespace dmremap::ublk
