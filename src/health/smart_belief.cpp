// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "discovery/hardware_names.hpp"
#include "health/smart.hpp"

namespace dmremap::health {

namespace {

// As names compare: bridges and drivers differ in case, blanks and underscores. Empty for what says
// nothing.
std::string comparable(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) out.push_back(static_cast<char>(std::tolower(byte)));
  }
  return discovery::is_placeholder(out) ? std::string() : out;
}

std::string comparable_wwn(std::string_view wwn) {
  for (const std::string_view prefix : {"0x", "naa."}) {
    if (wwn.starts_with(prefix)) wwn.remove_prefix(prefix.size());
  }
  return comparable(wwn);
}

// Bridges and the kernel cut models to 16 characters.
bool models_agree(const std::string& a, const std::string& b) {
  return !a.empty() && !b.empty() && (a.starts_with(b) || b.starts_with(a));
}

BeliefReason other(std::string_view what, std::string_view seen, std::string_view known) {
  return {Belief::other,
          fmt::format("the answer is of another disk: {} {}, not {}", what, seen, known)};
}

}  // namespace

BeliefReason belief_in(const SmartReading& reading, const DiskIdentity& disk) {
  if (reading.state != SmartState::read) return {Belief::unproven, reading.reason};
  if (reading.capacity_bytes && disk.capacity_bytes != 0 &&
      *reading.capacity_bytes != disk.capacity_bytes) {
    return other("capacity", std::to_string(*reading.capacity_bytes),
                 fmt::format("{} bytes", disk.capacity_bytes));
  }
  const std::string wwn = comparable_wwn(reading.wwn);
  const std::string known_wwn = comparable_wwn(disk.wwn);
  const std::string serial = comparable(reading.serial);
  const std::string known_serial = comparable(disk.serial);
  const std::string earlier = comparable(disk.earlier_serial);
  if (!wwn.empty() && !known_wwn.empty() && !disk.behind_usb) {
    if (wwn != known_wwn) return other("WWN", reading.wwn, disk.wwn);
    return {Belief::same, {}};
  }
  if (!serial.empty() && !earlier.empty() && serial != earlier) {
    return other("serial number", reading.serial, disk.earlier_serial);
  }
  if (!serial.empty() && serial == known_serial) return {Belief::same, {}};
  if (!wwn.empty() && wwn == known_wwn) return {Belief::same, {}};
  if (!serial.empty() && serial == earlier) return {Belief::same, {}};
  if (!disk.behind_usb && !serial.empty() && !known_serial.empty()) {
    return other("serial number", reading.serial, disk.serial);
  }
  // Behind a bridge the kernel may know only the bridge's own names. The drive's are new to us; if
  // there is no other disk that could have answered, and size and model do not speak against it, it
  // is this one.
  const bool sized = reading.capacity_bytes && disk.capacity_bytes != 0;
  const bool modelled = models_agree(comparable(reading.model), comparable(disk.model));
  if (sized && (disk.alone_behind_bridge || (!disk.behind_usb && modelled))) {
    return {Belief::same, {}};
  }
  return {
      Belief::unproven,
      "which disk answered cannot be told: it shares no serial number or WWN with what is known"};
}

}  // namespace dmremap::health
