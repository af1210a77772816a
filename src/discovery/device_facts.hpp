// SPDX-License-Identifier: GPL-2.0-or-later
// What can be learnt about a device that is present. Gathered once, by one shell, and then handed
// as a value to the rules that decide (identity.hpp).
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"
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

// Of an open device: reads its superblock and partition table, /sys, and udev's database. What
// cannot be learnt is missing, read errors included: an error only where not even the descriptor
// answers. Any thread.
[[nodiscard]] Result<DeviceFacts> gather_facts(const io::FileDevice& device,
                                               DeviceUse use = DeviceUse::shared);

// The names that hardware and drivers give a disk, without opening it. `several_paths`: its
// transport may show one disk as several devices (SAS, Fibre Channel, iSCSI).
struct DiskNames {
  std::string name;  // of the kernel: "sda"
  std::vector<format::Fact> facts;
  bool several_paths = false;
};
// Of every whole disk that is present. `sys` is where that tree is mounted. Any thread.
[[nodiscard]] std::vector<DiskNames> names_of_disks(const std::string& sys = "/sys");

}  // namespace dmremap::discovery
