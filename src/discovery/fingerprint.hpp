// SPDX-License-Identifier: GPL-2.0-or-later
// What identifies a device, as it can be learnt now.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "discovery/probe.hpp"
#include "format/content.hpp"
#include "io/file_device.hpp"

namespace dmremap::discovery {

// The fs_type of a device on which no file system was found because it does not read well: nothing
// can be concluded from the missing UUID.
inline constexpr std::string_view kUnreadableFileSystem = "unreadable";

// What lies on a device: a file system, or else a partition table.
struct Contents {
  std::string type;  // of libblkid; kUnreadableFileSystem
  std::string uuid;
  std::string label;
  bool is_table = false;
};
// Only reads; what cannot be learnt is empty. Any thread.
[[nodiscard]] Contents read_contents(const io::FileDevice& device,
                                     DeviceUse use = DeviceUse::shared);

// Hardware facts are hardware_of's; what lies on the device is read from it, never from a database.
// A disk without a file system of its own has its partition table's type and UUID in fs_type and
// fs_uuid. What cannot be learnt stays empty, read errors included:
// error only where not even the fd answers. Texts are cut to what can be stored. Any thread.
Result<format::Fingerprint> take_fingerprint(const io::FileDevice& device);
// With contents that were read already.
Result<format::Fingerprint> take_fingerprint(const io::FileDevice& device, const Contents& contents,
                                             DeviceUse use = DeviceUse::shared);

}  // namespace dmremap::discovery
