// SPDX-License-Identifier: GPL-2.0-or-later
// Names of systemd's units. In them '-' stands for the '/' of a path, and a '-' of the path itself
// is written `\x2d` (systemd.unit(5), "String Escaping for Inclusion in Unit Names"). libsystemd
// has no function for it.
#pragma once

#include <string>
#include <string_view>

namespace dmremap::os {

// One component of a path, a set's name for one, as it stands in the name of a unit.
[[nodiscard]] std::string unit_name_escaped(std::string_view text);
// Undoes it. A text without a backslash is returned as it is.
[[nodiscard]] std::string unit_name_unescaped(std::string_view text);

// "/dev/dm-remap/backup" gives "dev-dm\x2dremap-backup.device". Requires an absolute path without
// empty components.
[[nodiscard]] std::string device_unit_of(std::string_view path);

}  // namespace dmremap::os
