// SPDX-License-Identifier: GPL-2.0-or-later
// What a device shows without a request to its medium: is it there, how large is it, does the
// kernel take writes to it. Asked by ioctl, fstat and sysfs only, so that a sleeping disk sleeps
// on.
#pragma once

#include <optional>

#include "base/units.hpp"
#include "io/file_device.hpp"

namespace dmremap::io {

struct DeviceState {
  bool present = true;              // a block device: the kernel still has it
  bool read_only = false;           // the device's flag, or the image's file system or attributes
  std::optional<SectorCount> size;  // whole logical blocks; none: it cannot be told

  bool operator==(const DeviceState&) const = default;
};

// Never blocks on the medium; a hung server behind a network or FUSE file system may block it.
[[nodiscard]] DeviceState state_of(const FileDevice& device);

}  // namespace dmremap::io
