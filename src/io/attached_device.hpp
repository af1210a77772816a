// SPDX-License-Identifier: GPL-2.0-or-later
// A block device that its users keep while the device behind it is exchanged. A disk that was
// unplugged comes back under another node, which takes another descriptor; the old one stays dead.
// Users know this object alone and need not be told.
#pragma once

#include <memory>
#include <mutex>

#include "io/block_device.hpp"

namespace dmremap::io {

// Thread-safe. The path is that of the first device, because messages may hold on to it.
class AttachedDevice final : public BlockDevice {
 public:
  explicit AttachedDevice(std::shared_ptr<BlockDevice> device);

  // The device that requests go to now.
  [[nodiscard]] std::shared_ptr<BlockDevice> attached() const;
  // Requests that begin after this go to `device`. Those in flight end on the device before, which
  // they keep open; whether what they do there still counts is for the caller to say. Requires the
  // geometry of this device.
  void attach(std::shared_ptr<BlockDevice> device);
  // Serves sectors up to `size` from now on. The attached device has them.
  void extend_to(SectorCount size) { grow_to(size); }

 private:
  IoStatus do_read(Sector first, std::span<std::byte> out) override;
  IoStatus do_write(Sector first, std::span<const std::byte> data) override;
  void do_read_many(std::span<ReadOp> ops) override;
  void do_write_many(std::span<WriteOp> ops) override;
  IoStatus do_flush() override;
  IoStatus do_write_zeroes(SectorRange range) override;
  IoStatus do_discard(SectorRange range) override;

  mutable std::mutex mutex_;
  std::shared_ptr<BlockDevice> device_;
};

}  // namespace dmremap::io
