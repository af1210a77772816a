// SPDX-License-Identifier: GPL-2.0-or-later
// The names that firmware and drivers give a device, each with its type, for the rules that compare
// devices (identity.hpp). Names of different types are never compared: a drive whose EUI-64 the
// kernel stopped trusting shows another type of name, not another value.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "format/recorded_facts.hpp"

namespace dmremap::discovery {

// Reads a name as /sys and udev write it: "naa.5000...", "0x5000...", "eui.0025...", "uuid....",
// "nvme.144d-...". Returns nothing for what is no world-wide name (t10., an NAA id of a type that
// there is not, such as a byte-reversed one) and for a placeholder.
[[nodiscard]] std::optional<format::Fact> world_wide_name(std::string_view text);

// Returns true if a name says nothing: one character repeated, a factory's default, a word for
// "none", or a serial number that whole series of USB enclosures show for every bay.
[[nodiscard]] bool is_placeholder(std::string_view name);
// The same for a name whose type is known: also an id without a maker, which no maker gave.
[[nodiscard]] bool names_nothing(const format::Fact& fact);

// Returns true for a name that a USB bridge shows, which may be its own.
[[nodiscard]] bool is_bridge_name(format::FactKind kind);
// Turns a name that a USB bridge shows into the name that the disk would show if it is the disk's.
// Other facts are returned as they are.
[[nodiscard]] format::Fact as_name_of_disk(const format::Fact& fact);

// Reads one attribute of a disk below its directory in /sys ("device/wwid"), or one of its
// properties in udev's database; empty if there is none.
using TextLookup = std::function<std::string(const char* name)>;
// "device/page-80" is asked for the serial number in SCSI page 80. `through_usb`: the disk is
// reached through a USB bridge.
[[nodiscard]] std::vector<format::Fact> names_of_kernel(const TextLookup& attribute,
                                                        bool through_usb);
// Adds what udev's helpers found (ata_id, scsi_id, usb_id) where the kernel shows no such name. Of
// a disk behind a USB bridge only what ata_id found is the disk's own: it asks the disk itself.
void add_names_of_udev(std::vector<format::Fact>& names, const TextLookup& property,
                       bool through_usb);

// Returns the names of the disk that holds `device`, or of the device-mapper or md device that it
// is. They come from /sys, and from udev's database where /sys lacks them. Placeholders are left
// out, and so is what cannot be read; there is no error. Thread-safe.
[[nodiscard]] std::vector<format::Fact> hardware_names(dev_t device,
                                                       const std::string& sys = "/sys");
// Returns the first name of the disk that is its own, and not one that a USB bridge shows with any
// disk in it, with the number of its kind before a colon. Empty if it has none.
[[nodiscard]] std::string own_name_of_disk(dev_t device);
// Returns the disks that a device-mapper or md device lies on, as FactKind::disk_below has them.
// Its UUID is written on them, and so on each copy of them.
[[nodiscard]] std::vector<format::Fact> disks_below(dev_t device);
// Returns true if the disk is reached through USB, and so through a bridge.
[[nodiscard]] bool is_behind_usb(dev_t device, const std::string& sys = "/sys");
// Returns where the disk is plugged in (udev's ID_PATH); empty if that is not known.
[[nodiscard]] std::string port_of(dev_t device);

}  // namespace dmremap::discovery
