// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/hardware_names.hpp"

#include <algorithm>
#include <array>
#include <cctype>

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
  if (!there && !is_placeholder(fact.value)) facts.push_back(std::move(fact));
}

// Where the kernel shows names of a disk, and the type that it leaves out there.
struct NameAttribute {
  std::string_view attribute;
  std::string_view type;
};
constexpr std::array<NameAttribute, 5> kNameAttributes{
    {{"wwid", ""}, {"device/wwid", ""}, {"uuid", "uuid."}, {"nguid", "eui."}, {"eui", "eui."}}};

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
  } else if (is_hex(name) && (name.size() == 16 || name.size() == 32)) {
    out = Fact{FactKind::naa, name};
  }
  if (!out || is_placeholder(out->value)) return std::nullopt;
  return out;
}

bool is_placeholder(std::string_view name) {
  const std::string text = letters_and_digits(name);
  if (text.empty() || text.find_first_not_of(text.front()) == std::string::npos) return true;
  constexpr std::array<std::string_view, 16> kWords{
      // Words for "none", and the defaults of firmware makers.
      "none", "unknown", "notspecified", "default", "serialnumber", "invalid", "noserial",
      "0123456789", "1234567890", "123456789", "0123456789abcdef", "0123456789abcde",
      // Bridges that show one serial number in every bay (unassigned.devices#66, OMV#746, OMV#896,
      // rockstor#2320).
      "152d00539000", "202006054d01", "20170331000c3", "20170331000da"};
  if (std::ranges::find(kWords, text) != kWords.end()) return true;
  // QEMU's default names a place in the virtual machine, not a disk.
  return text.starts_with("qm0000");
}

std::vector<Fact> hardware_names(dev_t device, const std::string& sys) {
  const os::KernelViews views{sys, "/proc"};
  const std::string disk = os::sysfs_directory_of(os::whole_disk_of(device, views), sys);
  std::vector<Fact> facts;
  for (const auto& [attribute, type] : kNameAttributes) {
    std::string text = os::read_attribute(fmt::format("{}/{}", disk, attribute));
    // Shown with spaces or dashes between the bytes.
    if (type == "eui.") text = letters_and_digits(text);
    if (!type.empty()) text.insert(0, type);
    if (auto fact = world_wide_name(text)) add(facts, std::move(*fact));
  }
  const std::string mapped = os::read_attribute(disk + "/dm/uuid");
  add_device_mapper(facts, mapped);
  const std::string array = os::read_attribute(disk + "/md/uuid");
  if (!array.empty()) add(facts, {FactKind::md_uuid, array});
  const Hardware known = sys == "/sys" ? hardware_of(device) : hardware_in_sysfs(device, sys);
  // Version 1 calls the UUID of a virtual device its serial number.
  const bool is_virtual = !mapped.empty() || !array.empty();
  if (!known.serial.empty() && !is_virtual) add(facts, {FactKind::serial, known.serial});
  const bool has_name = std::ranges::any_of(
      facts, [](const Fact& fact) { return fact.kind <= FactKind::nvme_legacy; });
  if (!has_name && !known.wwn_as_shown.empty()) {
    if (auto fact = world_wide_name(known.wwn_as_shown)) facts.insert(facts.begin(), *fact);
  }
  return facts;
}

std::string port_of(dev_t device) {
  return udev_property(device, "ID_PATH");
}

}  // namespace dmremap::discovery
