// SPDX-License-Identifier: GPL-2.0-or-later
// Names that firmware and drivers give a device, each with its type. Types are never mixed: a
// drive whose EUI-64 the kernel stopped trusting shows another kind of name, not another value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "format/recorded_facts.hpp"

namespace dmremap::discovery {

// "naa.5000...", "0x5000...", "eui.0025...", "uuid....", "nvme.144d-..." as /sys and udev write
// them. None for what is no world-wide name (t10.), and for a placeholder.
[[nodiscard]] std::optional<format::Fact> world_wide_name(std::string_view text);

// Whether a name says nothing: one character repeated, a factory's default, a word for "none", a
// serial number that whole series of USB enclosures show for every bay.
[[nodiscard]] bool is_placeholder(std::string_view name);

// Of the disk that holds `device`, or of the device-mapper or md device that it is; from /sys, and
// from udev's database what /sys lacks. No placeholders. Any thread.
[[nodiscard]] std::vector<format::Fact> hardware_names(dev_t device,
                                                       const std::string& sys = "/sys");
// Where the disk is plugged in (udev's ID_PATH); empty: not known.
[[nodiscard]] std::string port_of(dev_t device);

}  // namespace dmremap::discovery
