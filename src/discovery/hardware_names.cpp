// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/hardware_names.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>

#include <fmt/format.h>

#include "discovery/hardware.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::discovery {

namespace {

using format::Fact;
using format::FactKind;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string letters_and_digits(std::string_view text) {
  std::string out;
  for (const char c : lower(text)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) out += c;
  }
  return out;
}

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What follows `prefix`, if `text` begins with it.
std::optional<std::string_view> after(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return text.substr(prefix.size());
}

// An NGUID is shown as "eui." with 32 digits, an EUI-64 with 16 (Linux, drivers/nvme/host/sysfs.c,
// wwid_show).
FactKind kind_of_eui(std::string_view digits) {
  return digits.size() == 32 ? FactKind::nguid : FactKind::eui;
}

void add(std::vector<Fact>& facts, Fact fact) {
  const bool there = std::ranges::any_of(facts, [&](const Fact& known) { return known == fact; });
  if (!there && !names_nothing(fact)) facts.push_back(std::move(fact));
}

// Where the kernel shows names of a disk, and the type that it leaves out there.
struct NameAttribute {
  const char* attribute;
  std::string_view type;
};
constexpr std::array<NameAttribute, 5> kNameAttributes{
    {{"wwid", ""}, {"device/wwid", ""}, {"uuid", "uuid."}, {"nguid", "eui."}, {"eui", "eui."}}};
constexpr std::array<const char*, 3> kSerialAttributes{"serial", "device/serial", "device/page-80"};

// A multipath map is its disk: device-mapper's UUID is "mpath-" and the identifier of page 83,
// whose first digit is the type of the designator (3: NAA).
void add_device_mapper(std::vector<Fact>& facts, const std::string& uuid) {
  if (uuid.empty()) return;
  if (const auto disk = after(uuid, "mpath-3")) {
    add(facts, {FactKind::naa, lower(*disk)});
  } else {
    add(facts, {FactKind::dm_uuid, uuid});
  }
}

// The name as a bridge's, which may be the disk's or the bridge's own.
Fact as_name_of_bridge(const Fact& fact) {
  switch (fact.kind) {
    case FactKind::naa:
      return {FactKind::bridge_id, "naa." + fact.value};
    case FactKind::eui:
    case FactKind::nguid:
      return {FactKind::bridge_id, "eui." + fact.value};
    case FactKind::serial:
      return {FactKind::bridge_serial, fact.value};
    default:
      return fact;
  }
}

std::string first_text(const TextLookup& lookup, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    if (std::string text = lookup(name); !text.empty()) return text;
  }
  return {};
}

bool has_between(const std::vector<Fact>& facts, FactKind first, FactKind last) {
  return std::ranges::any_of(
      facts, [&](const Fact& fact) { return fact.kind >= first && fact.kind <= last; });
}

// What ata_id found is the disk's own, also behind a bridge, because the disk itself was asked. All
// else is the bridge's: the id of page 83, the serial number of the USB device.
void add_names_behind_bridge(std::vector<Fact>& names, const TextLookup& property) {
  const bool disk_was_asked = property("ID_BUS") == "ata";
  const auto own_or_bridge = [&](const Fact& fact) {
    add(names, disk_was_asked ? fact : as_name_of_bridge(fact));
  };
  if (const auto id = world_wide_name(first_text(property, {"ID_WWN_WITH_EXTENSION", "ID_WWN"}))) {
    own_or_bridge(*id);
  }
  own_or_bridge({FactKind::serial, property("ID_SERIAL_SHORT")});
  add(names, {FactKind::bridge_serial, property("ID_SCSI_SERIAL")});
  add(names, {FactKind::bridge_serial, property("ID_USB_SERIAL_SHORT")});
}

// Numbers below a thousand count the disks of one machine (serial=1 of a virtual disk), and those
// with up to four digits behind many zeros those of one kind of bridge (0000000000CA).
bool is_a_small_number(std::string_view text) {
  if (text.size() < 4 && text.find_first_not_of("0123456789") == std::string_view::npos) {
    return true;
  }
  const auto zeros = std::min(text.find_first_not_of('0'), text.size());
  return zeros >= 8 && text.size() - zeros <= 4;
}

// The types of NAA ids (SPC-4, 7.8.6.6): 2 and 5 have 16 digits, 6 has 32; 3 is assigned locally.
// Udev shows the first half of type 6, too. Udev 222 reversed the bytes (systemd#651).
bool is_naa(std::string_view digits) {
  const bool is_short = digits.size() == 16;
  const bool is_long = digits.size() == 32 && digits.front() == '6';
  return is_hex(digits) && (is_short || is_long) &&
         std::string_view("2356").find(digits.front()) != std::string_view::npos;
}

// True if the part of an id that names the maker (OUI, assigned by IEEE) is zero.
bool has_no_maker(const Fact& fact) {
  constexpr std::string_view kNobody = "000000";
  if (fact.kind == FactKind::eui) return fact.value.starts_with(kNobody);
  if (fact.kind != FactKind::naa || fact.value.empty()) return false;
  const bool names_maker = fact.value.front() == '5' || fact.value.front() == '6';
  return names_maker && std::string_view(fact.value).substr(1).starts_with(kNobody);
}

}  // namespace

std::optional<Fact> world_wide_name(std::string_view text) {
  const std::string name = lower(text);
  std::optional<Fact> out;
  if (const auto naa = after(name, "naa.")) {
    out = Fact{FactKind::naa, std::string(*naa)};
  } else if (const auto hex = after(name, "0x")) {
    out = Fact{FactKind::naa, std::string(*hex)};
  } else if (const auto eui = after(name, "eui.")) {
    out = Fact{kind_of_eui(*eui), std::string(*eui)};
  } else if (const auto uuid = after(name, "uuid.")) {
    out = Fact{FactKind::nvme_uuid, std::string(*uuid)};
  } else if (const auto legacy = after(name, "nvme.")) {
    out = Fact{FactKind::nvme_legacy, std::string(*legacy)};
  } else if (is_hex(name)) {
    out = Fact{FactKind::naa, name};
  }
  if (!out || names_nothing(*out)) return std::nullopt;
  if (out->kind == FactKind::naa && !is_naa(out->value)) return std::nullopt;
  return out;
}

bool is_placeholder(std::string_view name) {
  const std::string text = letters_and_digits(name);
  if (text.empty() || text.find_first_not_of(text.front()) == std::string::npos) return true;
  constexpr std::array<std::string_view, 20> kWords{
      // Words for "none", and the defaults of firmware makers.
      "none", "unknown", "notspecified", "default", "serialnumber", "invalid", "noserial", "123456",
      "0123456789", "1234567890", "123456789", "0123456789abcdef", "0123456789abcde",
      // Every NVMe disk of VirtualBox (VirtualBox#828), the first target of SPDK.
      "vb123456789", "spdk00000000000001", "spdk",
      // Bridges that show one serial number in every bay (unassigned.devices#66, OMV#746, OMV#896,
      // rockstor#2320).
      "152d00539000", "202006054d01", "20170331000c3", "20170331000da"};
  if (std::ranges::find(kWords, text) != kWords.end()) return true;
  // Both name a place, not a disk: QEMU's default, and target and unit of tgtd (genestack#451).
  return text.starts_with("qm0000") || text.starts_with("beaf") || is_a_small_number(text);
}

bool names_nothing(const Fact& fact) {
  const Fact name = as_name_of_disk(fact);
  return is_placeholder(name.value) || has_no_maker(name);
}

bool is_bridge_name(FactKind kind) {
  return kind == FactKind::bridge_id || kind == FactKind::bridge_serial;
}

Fact as_name_of_disk(const Fact& fact) {
  if (fact.kind == FactKind::bridge_serial) return {FactKind::serial, fact.value};
  if (fact.kind != FactKind::bridge_id) return fact;
  if (const auto naa = after(fact.value, "naa.")) return {FactKind::naa, std::string(*naa)};
  const auto eui = after(fact.value, "eui.");
  return eui ? Fact{kind_of_eui(*eui), std::string(*eui)} : fact;
}

std::vector<Fact> names_of_kernel(const TextLookup& attribute, bool through_usb) {
  std::vector<Fact> facts;
  const auto keep = [&](const Fact& fact) {
    add(facts, through_usb ? as_name_of_bridge(fact) : fact);
  };
  for (const auto& [name, type] : kNameAttributes) {
    std::string text = attribute(name);
    // Shown with spaces or dashes between the bytes.
    if (type == "eui.") text = letters_and_digits(text);
    if (!type.empty()) text.insert(0, type);
    if (const auto fact = world_wide_name(text)) keep(*fact);
  }
  const std::string mapped = attribute("dm/uuid");
  add_device_mapper(facts, mapped);
  const std::string array = attribute("md/uuid");
  if (!array.empty()) add(facts, {FactKind::md_uuid, array});
  if (!mapped.empty() || !array.empty()) return facts;
  for (const char* const name : kSerialAttributes) {
    const std::string serial = attribute(name);
    if (serial.empty()) continue;
    keep({FactKind::serial, serial});
    break;
  }
  return facts;
}

void add_names_of_udev(std::vector<Fact>& names, const TextLookup& property, bool through_usb) {
  if (has_between(names, FactKind::dm_uuid, FactKind::md_uuid)) return;
  if (through_usb) {
    add_names_behind_bridge(names, property);
    return;
  }
  if (!has_between(names, FactKind::naa, FactKind::nvme_legacy)) {
    const auto id = world_wide_name(first_text(property, {"ID_WWN_WITH_EXTENSION", "ID_WWN"}));
    if (id) names.insert(names.begin(), *id);
  }
  if (has_between(names, FactKind::serial, FactKind::serial)) return;
  // ID_SERIAL is model and serial number, and the model alone where there is no number
  // (udisks#688). Of a SCSI disk ID_SERIAL_SHORT is the id of page 83 (util-linux#1143).
  const bool is_scsi = property("ID_BUS") == "scsi";
  add(names,
      {FactKind::serial, is_scsi ? property("ID_SCSI_SERIAL")
                                 : first_text(property, {"ID_SCSI_SERIAL", "ID_SERIAL_SHORT"})});
}

bool is_behind_usb(dev_t device, const std::string& sys) {
  const os::KernelViews views{sys, "/proc"};
  // The root hub of a USB bus is "usb1", and every device on it lies below.
  const std::string path =
      os::place_in_devices(os::sysfs_directory_of(os::whole_disk_of(device, views), sys));
  const auto at = path.find("/usb");
  return at != std::string::npos && at + 4 < path.size() &&
         std::isdigit(static_cast<unsigned char>(path[at + 4])) != 0;
}

std::vector<Fact> hardware_names(dev_t device, const std::string& sys) {
  const os::KernelViews views{sys, "/proc"};
  const std::string disk = os::sysfs_directory_of(os::whole_disk_of(device, views), sys);
  const bool through_usb = is_behind_usb(device, sys);
  const auto attribute = [&](const char* name) {
    if (std::string_view(name) == kSerialAttributes.back()) return serial_of_page_80(disk);
    return os::read_attribute(fmt::format("{}/{}", disk, name));
  };
  std::vector<Fact> names = names_of_kernel(attribute, through_usb);
  if (sys == "/sys") {
    UdevRecord known(device);
    add_names_of_udev(
        names, [&](const char* key) { return known.property(key); }, through_usb);
  }
  return names;
}

std::string own_name_of_disk(dev_t device) {
  const auto names = hardware_names(device);
  const auto own =
      std::ranges::find_if_not(names, [](const Fact& name) { return is_bridge_name(name.kind); });
  if (own == names.end()) return {};
  return fmt::format("{}:{}", static_cast<unsigned>(own->kind), own->value);
}

std::vector<Fact> disks_below(dev_t device) {
  std::vector<Fact> out;
  for (const os::Storage& below : os::beneath(os::Storage{device, 0})) {
    // Below a loop device lies a file, which has many copies on one disk.
    if (!below.is_block_device()) return {{FactKind::disk_below, "-"}};
    if (below.device == device) continue;
    const std::string directory = os::sysfs_directory_of(os::whole_disk_of(below.device));
    // Devices in between have UUIDs that lie on the disks as well.
    const bool is_virtual = !os::read_attribute(directory + "/dm/uuid").empty() ||
                            !os::read_attribute(directory + "/md/uuid").empty();
    const std::string name = is_virtual ? std::string() : own_name_of_disk(below.device);
    const Fact fact{FactKind::disk_below, name};
    if (!name.empty() && std::ranges::find(out, fact) == out.end()) out.push_back(fact);
  }
  if (out.empty()) out.push_back({FactKind::disk_below, "-"});
  return out;
}

std::string port_of(dev_t device) {
  return udev_property(device, "ID_PATH");
}

}  // namespace dmremap::discovery
