// SPDX-License-Identifier: GPL-2.0-or-later
// The state of a device that can be learnt without a request to its medium: whether it is there,
// how large it is, and whether the kernel takes writes to it. It is found by ioctl, fstat and sysfs
// only, so that a sleeping disk is not woken.
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
