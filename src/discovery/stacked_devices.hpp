// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel has stacked on a device: logical volumes, dm-crypt, md. As it and udev know it:
// no device is opened, and no sleeping disk is woken.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace dmremap::discovery {

// Those that lie on `below` alone, directly or over each other: what cannot be there without it. A
// mirror with its other half elsewhere is not among them. In no order, each once, without `below`.
// `sys` is where sysfs is mounted. There is no error.
[[nodiscard]] std::vector<dev_t> devices_stacked_on(const std::vector<dev_t>& below,
                                                    const std::string& sys = "/sys");

}  // namespace dmremap::discovery
