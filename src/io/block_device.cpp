// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/block_device.hpp"

#include <cerrno>
#include <utility>

#include "base/assert.hpp"

namespace dmremap::io {

namespace {

void count(std::atomic<std::uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

BlockDevice::BlockDevice(std::string path, const Geometry& geometry)
    : path_(std::move(path)), geometry_(geometry), size_(geometry.size.value) {}

void BlockDevice::grow_to(SectorCount size) {
  DMREMAP_ASSERT(size.value % geometry_.unit().value == 0);
  std::uint64_t before = size_.load(std::memory_order_relaxed);
  while (before < size.value && !size_.compare_exchange_weak(before, size.value)) {
  }
}

bool BlockDevice::fits(Sector first, std::uint64_t bytes) const {
  // Logical blocks are powers of two, and a division would cost more than all else here.
  const std::uint64_t part_of_block = geometry_.logical_block_bytes - 1;
  if (((bytes | first.byte_offset()) & part_of_block) != 0) return false;
  const std::uint64_t end = size().value;
  return first.value <= end && bytes / kSectorBytes <= end - first.value;
}

void BlockDevice::count_error(std::atomic<std::uint64_t>& counter, IoStatus status) {
  count(counter);
  if (classify(status.error) == Fault::device) count(counters_.absences);
}

IoStatus BlockDevice::read(Sector first, std::span<std::byte> out) {
  if (!fits(first, out.size())) return {EINVAL};
  count(counters_.reads);
  const IoStatus status = do_read(first, out);
  if (!status.ok()) count_error(counters_.read_errors, status);
  return status;
}

IoStatus BlockDevice::write(Sector first, std::span<const std::byte> data) {
  if (!fits(first, data.size())) return {EINVAL};
  count(counters_.writes);
  const IoStatus status = do_write(first, data);
  if (!status.ok()) count_error(counters_.write_errors, status);
  return status;
}

void BlockDevice::count_issued(bool is_write, IoStatus status) {
  count(is_write ? counters_.writes : counters_.reads);
  if (!status.ok()) count_error(is_write ? counters_.write_errors : counters_.read_errors, status);
}

void BlockDevice::read_many(std::span<ReadOp> ops) {
  for (ReadOp& op : ops) {
    op.status = {fits(op.first, op.out.size()) ? 0 : EINVAL};
    if (op.status.ok()) count(counters_.reads);
  }
  do_read_many(ops);
  for (const ReadOp& op : ops) {
    if (!op.status.ok() && fits(op.first, op.out.size())) {
      count_error(counters_.read_errors, op.status);
    }
  }
}

void BlockDevice::write_many(std::span<WriteOp> ops) {
  for (WriteOp& op : ops) {
    op.status = {fits(op.first, op.data.size()) ? 0 : EINVAL};
    if (op.status.ok()) count(counters_.writes);
  }
  do_write_many(ops);
  for (const WriteOp& op : ops) {
    if (!op.status.ok() && fits(op.first, op.data.size())) {
      count_error(counters_.write_errors, op.status);
    }
  }
}

void BlockDevice::do_read_many(std::span<ReadOp> ops) {
  for (ReadOp& op : ops) {
    if (op.status.ok()) op.status = do_read(op.first, op.out);
  }
}

void BlockDevice::do_write_many(std::span<WriteOp> ops) {
  for (WriteOp& op : ops) {
    if (op.status.ok()) op.status = do_write(op.first, op.data);
  }
}

IoStatus BlockDevice::flush() {
  count(counters_.flushes);
  const IoStatus status = do_flush();
  if (!status.ok()) count_error(counters_.write_errors, status);
  return status;
}

IoStatus BlockDevice::write_zeroes(SectorRange range) {
  if (!fits(range.first, range.count.bytes())) return {EINVAL};
  count(counters_.writes);
  const IoStatus status = do_write_zeroes(range);
  if (!status.ok() && classify(status.error) != Fault::unsupported) {
    count_error(counters_.write_errors, status);
  }
  return status;
}

IoStatus BlockDevice::discard(SectorRange range) {
  if (!fits(range.first, range.count.bytes())) return {EINVAL};
  count(counters_.writes);
  const IoStatus status = do_discard(range);
  if (!status.ok() && classify(status.error) != Fault::unsupported) {
    count_error(counters_.write_errors, status);
  }
  return status;
}

}  // namespace dmremap::io
