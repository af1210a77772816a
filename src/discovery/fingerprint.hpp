// SPDX-License-Identifier: GPL-2.0-or-later
// Takes the fingerprint of a device: what identifies it, as it can be learnt now and as the
// metadata records it (docs/on-disk-format.md, "A fingerprint").
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
// Probes the device with libblkid, which only reads. What cannot be learnt is empty; there is no
// error. Takes up to a minute for each sector that a failing disk does not read. Thread-safe, for
// different devices.
[[nodiscard]] Contents read_contents(const io::FileDevice& device,
                                     DeviceUse use = DeviceUse::shared);

// Hardware facts come from hardware_of; what lies on the device is read from it and never taken
// from a database. A disk without a file system of its own has its partition table's type and UUID
// in fs_type and fs_uuid. What cannot be learnt stays empty, also because of a read error; error io
// only if fstat fails on the descriptor. Texts are cut to the bytes that can be stored.
// Thread-safe, for different devices.
Result<format::Fingerprint> take_fingerprint(const io::FileDevice& device);
// The same for contents that were read already.
Result<format::Fingerprint> take_fingerprint(const io::FileDevice& device, const Contents& contents,
                                             DeviceUse use = DeviceUse::shared);

}  // namespace dmremap::discovery
