// SPDX-License-Identifier: GPL-2.0-or-later
// The partitions that a device has by its partition table. The kernel looks for none on a device of
// device mapper.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::dm {

// By number, as the kernel counts them. Of an extended one, as the kernel has it, only its first
// two sectors.
using PartitionTable = std::map<std::uint64_t, SectorRange>;

// Reads `path`, a device or an image, through the page cache. Empty: there is no table, or none
// that libblkid knows. Errors: io, if what may be a table cannot be read; as io::FileDevice::open.
[[nodiscard]] Result<PartitionTable> read_partition_table(const std::string& path);

}  // namespace dmremap::dm
