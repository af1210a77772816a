// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/nbd/nbd_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace dmremap::nbd {

namespace {

// The longest part that a request is cut into if it is not whole blocks.
constexpr std::size_t kPartBytes = 256 * kKiB;
// Larger requests are served too; but a server keeps a buffer as large as the largest for each of
// its threads, and ours is locked in memory.
constexpr std::uint32_t kMaximumBytes = kMiB;
constexpr std::uint32_t kPreferredBytes = 4096;

}  // namespace

// Holds one scratch slot from when one is free until the end of the request.
class NbdDisk::ScratchLease {
 public:
  explicit ScratchLease(NbdDisk& disk) : disk_(disk), slot_(take(disk)) {}
  ~ScratchLease() {
    {
      const std::lock_guard<std::mutex> lock(disk_.mutex_);
      slot_.taken = false;
    }
    disk_.given_back_.notify_one();
  }
  ScratchLease(const ScratchLease&) = delete;
  ScratchLease& operator=(const ScratchLease&) = delete;

  [[nodiscard]] frontend::Scratch scratch() { return {slot_.payload.span(), slot_.edge.span()}; }

 private:
  static ScratchSlot& take(NbdDisk& disk) {
    std::unique_lock<std::mutex> lock(disk.mutex_);
    auto slot = disk.slots_.end();
    disk.given_back_.wait(lock, [&] {
      slot = std::ranges::find_if(disk.slots_, [](const ScratchSlot& p) { return !p.taken; });
      return slot != disk.slots_.end();
    });
    slot->taken = true;
    return *slot;
  }

  NbdDisk& disk_;
  ScratchSlot& slot_;
};

NbdDisk::NbdDisk(remap::Disk& disk, bool zeroes_fast, std::shared_ptr<frontend::WriteGate> gate)
    : engine_(disk), disk_(disk, std::move(gate)), zeroes_fast_(zeroes_fast) {
  const std::size_t unit_bytes = disk.geometry().logical_block_bytes;
  for (ScratchSlot& slot : slots_) {
    slot.payload = AlignedBuffer(kPartBytes + 2 * unit_bytes);
    slot.edge = AlignedBuffer(unit_bytes);
  }
}

BlockSizes NbdDisk::block_sizes() const {
  const auto& geometry = disk_.geometry();
  return {.minimum = geometry.logical_block_bytes,
          .preferred = std::max(geometry.physical_block_bytes, kPreferredBytes),
          .maximum = kMaximumBytes};
}

// Parts after the first begin with a block, so that only the ends of a request are read first.
std::size_t NbdDisk::part_at(std::uint64_t offset, std::size_t left) const {
  const std::uint64_t unit_bytes = disk_.geometry().logical_block_bytes;
  return std::min<std::size_t>(left, align_down(offset + kPartBytes, unit_bytes) - offset);
}

int NbdDisk::read_parts(std::uint64_t offset, std::span<std::byte> out) {
  ScratchLease lease(*this);
  while (!out.empty()) {
    const auto part = out.first(part_at(offset, out.size()));
    const auto got = disk_.read(offset, part.size(), lease.scratch());
    if (got.error != 0) return got.error;
    std::memcpy(part.data(), got.bytes.data(), part.size());
    out = out.subspan(part.size());
    offset += part.size();
  }
  return 0;
}

int NbdDisk::write_parts(std::uint64_t offset, std::span<const std::byte> data, bool fua,
                         remap::RequestTimer* timer) {
  ScratchLease lease(*this);
  while (!data.empty()) {
    const auto part = data.first(part_at(offset, data.size()));
    const auto put = disk_.write(offset, part, fua, lease.scratch(), timer);
    if (put.error != 0) return put.error;
    data = data.subspan(part.size());
    offset += part.size();
  }
  return 0;
}

int NbdDisk::trim(std::uint64_t offset, std::uint64_t length, bool fua, remap::FlushHeard& heard,
                  remap::RequestTimer* timer) {
  if (const int error = disk_.discard(offset, length, timer); error != 0) return error;
  return fua ? flush(heard, timer) : 0;
}

int NbdDisk::zero(std::uint64_t offset, std::uint64_t length, ZeroOptions wanted,
                  remap::FlushHeard& heard, remap::RequestTimer* timer) {
  if (!wanted.may_trim || (wanted.fast && !zeroes_fast_)) return EOPNOTSUPP;
  int error = 0;
  if (disk_.is_whole_blocks(offset, length)) {
    error = disk_.write_zeroes(offset, length, {}, timer);
  } else {
    ScratchLease lease(*this);
    error = disk_.write_zeroes(offset, length, lease.scratch(), timer);
  }
  if (error != 0) return error;
  return wanted.fua ? flush(heard, timer) : 0;
}

}  // namespace dmremap::nbd
