// SPDX-License-Identifier: GPL-2.0-or-later
// Gathers all that can be learnt about a device that is present. The facts are values: they are
// gathered once, and the rules that judge them (identity.hpp) do no I/O. DeviceLook
// (device_look.hpp) gathers them of several devices in parallel.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"
#include "discovery/fingerprint.hpp"
#include "discovery/probe.hpp"
#include "format/content.hpp"
#include "format/recorded_facts.hpp"
#include "io/file_device.hpp"
#include "os/usage.hpp"

namespace dmremap::discovery {

struct DeviceFacts {
  std::string path;                  // absolute
  std::vector<os::Storage> beneath;  // itself first, then what it lies on
  format::Fingerprint fingerprint;   // as the identity section records it
  std::vector<format::Fact> facts;   // decisive kinds first; placeholders are not among them
};

// Gathers the facts of an open device from its superblock and partition table (by libblkid), from
// /sys, and from udev's database. The device stays the caller's. A fact that cannot be learnt is
// missing, also because of a read error; error io only if fstat fails on the descriptor. May take
// minutes on a failing disk. Thread-safe, for different devices.
[[nodiscard]] Result<DeviceFacts> gather_facts(const io::FileDevice& device,
                                               DeviceUse use = DeviceUse::shared);
// The same for contents that are known; of the device no more is read than the table that has it as
// a partition.
[[nodiscard]] Result<DeviceFacts> gather_facts(const io::FileDevice& device,
                                               const Contents& contents, DeviceUse use);

// The names that hardware and drivers give a disk, learnt without opening it.
struct DiskNames {
  std::string name;                 // the kernel's: "sda"
  std::vector<format::Fact> facts;  // as hardware_names gives them
  bool several_paths = false;  // SAS, Fibre Channel, iSCSI may show one disk as several devices
};
// Returns the names of every whole disk that is present. `sys` is where that tree is mounted. What
// cannot be read is missing; there is no error. Thread-safe.
[[nodiscard]] std::vector<DiskNames> names_of_disks(const std::string& sys = "/sys");

}  // namespace dmremap::discovery
