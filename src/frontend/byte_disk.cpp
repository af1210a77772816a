// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/byte_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.hpp"

namespace dmremap::frontend {

namespace {

Sector sector_at(std::uint64_t offset) {
  return Sector{offset / kSectorBytes};
}

// The errno for the front end. It is EIO for every error, because a user of a disk expects no
// other.
int upward(io::IoStatus status) {
  return status.ok() ? 0 : EIO;
}

}  // namespace

ByteDisk::ByteDisk(remap::Disk& disk, std::shared_ptr<WriteGate> gate)
    : disk_(disk),
      unit_bytes_(disk.geometry().logical_block_bytes),
      size_bytes_(disk.geometry().size.bytes()),
      gate_(std::move(gate)) {}

ByteDisk::ReadOutcome ByteDisk::read(std::uint64_t offset, std::size_t length,
                                     const Scratch& scratch) {
  if (offset >= size_bytes_ || length == 0) return {};
  if (is_too_long(length, scratch)) return {.error = EINVAL, .bytes = {}};
  const std::uint64_t end = std::min<std::uint64_t>(offset + length, size_bytes_);
  const std::uint64_t first = align_down(offset, unit_bytes_);
  const std::uint64_t last = align_up(end, unit_bytes_);  // the disk is whole units
  const auto whole = scratch.payload.first(last - first);
  if (const int error = upward(disk_.read(sector_at(first), whole)); error != 0) {
    return {.error = error, .bytes = {}};
  }
  return {.error = 0, .bytes = whole.subspan(offset - first, end - offset)};
}

std::optional<ByteDisk::ReadOutcome> ByteDisk::read_or_later(std::uint64_t offset,
                                                             std::size_t length,
                                                             const Scratch& scratch,
                                                             const remap::Disk::Later& later,
                                                             remap::RequestTimer* timer) {
  // Only whole blocks can be answered later, because the later answer has the blocks that were read
  // and not a part of them.
  const bool whole_blocks = offset % unit_bytes_ == 0 && length % unit_bytes_ == 0;
  if (!whole_blocks || length == 0 || is_too_long(length, scratch) || offset >= size_bytes_) {
    return read(offset, length, scratch);
  }
  const auto out = scratch.payload.first(std::min<std::uint64_t>(length, size_bytes_ - offset));
  const auto status = disk_.read_or_later(sector_at(offset), out, later, timer);
  if (!status) return std::nullopt;
  if (const int error = upward(*status); error != 0)
    return ReadOutcome{.error = error, .bytes = {}};
  return ReadOutcome{.error = 0, .bytes = out};
}

ByteDisk::WriteOutcome ByteDisk::write(std::uint64_t offset, std::span<const std::byte> data,
                                       bool fua, const Scratch& scratch,
                                       remap::RequestTimer* timer) {
  if (data.empty()) return {};
  if (offset >= size_bytes_) return {.error = ENOSPC, .bytes = 0};
  if (is_too_long(data.size(), scratch)) return {.error = EINVAL, .bytes = 0};
  data = data.first(std::min<std::uint64_t>(data.size(), size_bytes_ - offset));
  if (offset % unit_bytes_ != 0 || data.size() % unit_bytes_ != 0) {
    return write_unaligned(offset, data, fua, scratch, timer);
  }
  const int error = write_blocks(offset, data, fua, timer);
  return {.error = error, .bytes = error == 0 ? data.size() : 0};
}

int ByteDisk::read_blocks(std::uint64_t offset, std::span<std::byte> out) {
  return upward(disk_.read(sector_at(offset), out));
}

int ByteDisk::write_blocks(std::uint64_t offset, std::span<const std::byte> data, bool fua,
                           remap::RequestTimer* timer) {
  // Waits for read-modify-writes of the same blocks, which would write back old data over this.
  const WriteGate::Pass beside(*gate_, WriteGate::Access::shared, offset, offset + data.size());
  return upward(disk_.write(sector_at(offset), data, fua, timer));
}

int ByteDisk::discard(std::uint64_t offset, std::uint64_t length, remap::RequestTimer* timer) {
  const std::uint64_t first = align_up(offset, unit_bytes_);
  const std::uint64_t end = align_down(offset + length, unit_bytes_);
  if (first >= end) return 0;
  const auto status =
      disk_.discard({sector_at(first), SectorCount::from_bytes(end - first)}, timer);
  return status.ok() || status.error == EOPNOTSUPP ? 0 : EIO;
}

ByteDisk::WriteOutcome ByteDisk::write_unaligned(std::uint64_t offset,
                                                 std::span<const std::byte> data, bool fua,
                                                 const Scratch& scratch,
                                                 remap::RequestTimer* timer) {
  const std::uint64_t end = offset + data.size();
  const std::uint64_t first = align_down(offset, unit_bytes_);
  const std::uint64_t last = align_up(end, unit_bytes_);
  const auto whole = scratch.payload.first(last - first);
  const std::size_t head = offset - first;
  const std::size_t tail = last - end;
  // `data` may lie in the payload, so it is moved before the edges are read.
  std::memmove(whole.data() + head, data.data(), data.size());

  const WriteGate::Pass alone(*gate_, WriteGate::Access::exclusive, first, last);
  // From the read of the edges to the write no other write of these blocks may run.
  const auto edge = scratch.edge;
  if (head != 0) {
    const int error = upward(disk_.read(sector_at(first), edge));
    if (error != 0) return {.error = error, .bytes = 0};
    std::memcpy(whole.data(), edge.data(), head);
  }
  if (tail != 0) {
    const int error = upward(disk_.read(sector_at(last - unit_bytes_), edge));
    if (error != 0) return {.error = error, .bytes = 0};
    std::memcpy(whole.data() + whole.size() - tail, edge.data() + unit_bytes_ - tail, tail);
  }
  const int error = upward(disk_.write(sector_at(first), whole, fua, timer));
  return {.error = error, .bytes = error == 0 ? data.size() : 0};
}

int ByteDisk::write_zeroes(std::uint64_t offset, std::uint64_t length, const Scratch& scratch,
                           remap::RequestTimer* timer) {
  if (offset >= size_bytes_ || length == 0) return 0;
  const std::uint64_t end = offset + std::min(length, size_bytes_ - offset);
  const std::uint64_t inner = align_up(offset, unit_bytes_);
  const std::uint64_t inner_end = align_down(end, unit_bytes_);
  if (inner > inner_end) return zero_part_of_unit(offset, end - offset, scratch, timer);

  // The inside comes first: when it is refused, nothing may have changed.
  if (inner < inner_end) {
    const WriteGate::Pass beside(*gate_, WriteGate::Access::shared, inner, inner_end);
    const auto status =
        disk_.write_zeroes({sector_at(inner), SectorCount::from_bytes(inner_end - inner)}, timer);
    if (!status.ok()) return status.error == EOPNOTSUPP ? EOPNOTSUPP : EIO;
  }
  if (offset < inner) {
    if (const int error = zero_part_of_unit(offset, inner - offset, scratch, timer); error != 0) {
      return error;
    }
  }
  return inner_end < end ? zero_part_of_unit(inner_end, end - inner_end, scratch, timer) : 0;
}

int ByteDisk::zero_part_of_unit(std::uint64_t offset, std::uint64_t length, const Scratch& scratch,
                                remap::RequestTimer* timer) {
  const std::uint64_t first = align_down(offset, unit_bytes_);
  DMREMAP_ASSERT(offset - first + length <= unit_bytes_);
  const auto edge = scratch.edge;
  const WriteGate::Pass alone(*gate_, WriteGate::Access::exclusive, first, first + unit_bytes_);
  if (const int error = upward(disk_.read(sector_at(first), edge)); error != 0) return error;
  std::memset(edge.data() + (offset - first), 0, length);
  return upward(disk_.write(sector_at(first), edge, false, timer));
}

SectorRange ByteDisk::blocks_of(std::uint64_t offset, std::uint64_t length) const {
  const std::uint64_t begin = std::min(offset, size_bytes_);
  const std::uint64_t end = begin + std::min(length, size_bytes_ - begin);
  const std::uint64_t first = align_down(begin, unit_bytes_);
  return {sector_at(first), SectorCount::from_bytes(align_up(end, unit_bytes_) - first)};
}

int ByteDisk::flush_for(remap::FlushHeard& heard, remap::RequestTimer* timer) {
  return upward(disk_.flush_for(heard, timer));
}

}  // namespace dmremap::frontend
