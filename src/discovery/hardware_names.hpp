// SPDX-License-Identifier: GPL-2.0-or-later
// The names that firmware and drivers give a device, each with its type, for the rules that compare
// devices (identity.hpp). Names of different types are never compared: a drive whose EUI-64 the
// kernel stopped trusting shows another type of name, not another value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "format/recorded_facts.hpp"

namespace dmremap::discovery {

// Reads a name as /sys and udev write it: "naa.5000...", "0x5000...", "eui.0025...", "uuid....",
// "nvme.144d-...". Returns nothing for what is no world-wide name (t10.) and for a placeholder.
[[nodiscard]] std::optional<format::Fact> world_wide_name(std::string_view text);

// Returns true if a name says nothing: one character repeated, a factory's default, a word for
// "none", or a serial number that whole series of USB enclosures show for every bay.
[[nodiscard]] bool is_placeholder(std::string_view name);

// Returns the names of the disk that holds `device`, or of the device-mapper or md device that it
// is. They come from /sys, and from udev's database where /sys lacks them. Placeholders are left
// out, and so is what cannot be read; there is no error. Thread-safe.
[[nodiscard]] std::vector<format::Fact> hardware_names(dev_t device,
                                                       const std::string& sys = "/sys");
// Returns where the disk is plugged in (udev's ID_PATH); empty if that is not known.
[[nodiscard]] std::string port_of(dev_t device);

}  // namespace dmremap::discovery
