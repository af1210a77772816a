// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/attached_device.hpp"

#include <utility>

#include "base/assert.hpp"

namespace dmremap::io {

AttachedDevice::AttachedDevice(std::shared_ptr<BlockDevice> device)
    : BlockDevice(device->path(), device->geometry()), device_(std::move(device)) {}

std::shared_ptr<BlockDevice> AttachedDevice::attached() const {
  const std::lock_guard lock(mutex_);
  return device_;
}

void AttachedDevice::attach(std::shared_ptr<BlockDevice> device) {
  DMREMAP_ASSERT(device->geometry() == geometry());
  const std::lock_guard lock(mutex_);
  // The former device ends with this parameter, after the lock: closing it may take long.
  device_.swap(device);
}

IoStatus AttachedDevice::do_read(Sector first, std::span<std::byte> out) {
  return attached()->read(first, out);
}

IoStatus AttachedDevice::do_write(Sector first, std::span<const std::byte> data) {
  return attached()->write(first, data);
}

void AttachedDevice::do_read_many(std::span<ReadOp> ops) {
  attached()->read_many(ops);
}

void AttachedDevice::do_write_many(std::span<WriteOp> ops) {
  attached()->write_many(ops);
}

IoStatus AttachedDevice::do_flush() {
  return attached()->flush();
}

IoStatus AttachedDevice::do_write_zeroes(SectorRange range) {
  return attached()->write_zeroes(range);
}

IoStatus AttachedDevice::do_discard(SectorRange range) {
  return attached()->discard(range);
}

}  // namespace dmremap::io
