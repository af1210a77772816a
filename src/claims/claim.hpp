// SPDX-License-Identifier: GPL-2.0-or-later
// A claim: what this host keeps of a set in a text file of its own, so that bare main is known as
// the main of a set before anything can mount it (promise 14), and so that a set comes up by itself
// only where this host wants it. It must be enough without the spare, which may be dead.
//
// A claim identifies nothing for a start: that reads the metadata on the spare. It only answers
// "is this present device the main, or a spare, of a set of this host?", and it does so by names
// that no copy of a device has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "base/uuid.hpp"
#include "discovery/identity.hpp"
#include "format/policy_section.hpp"
#include "format/recorded_facts.hpp"

namespace dmremap::claims {

// What tells one host from another; each is empty if it is not known.
struct HostId {
  std::string machine_id;    // of the installation: machine-id(5)
  std::string product_uuid;  // of the hardware: DMI; only root may read it

  bool operator==(const HostId&) const = default;
};
// Reads both. `root` is where the file system is mounted.
[[nodiscard]] HostId this_host(const std::string& root = "");

struct ClaimedDevice {
  std::string path;  // where it was last seen; a hint
  SectorCount size;
  std::uint32_t logical_block_bytes = 512;
  // Names of the device, and for messages what lies on it.
  std::vector<format::Fact> facts;

  bool operator==(const ClaimedDevice&) const = default;
};

struct ClaimedSpare {
  Uuid uuid;
  ClaimedDevice device;

  bool operator==(const ClaimedSpare&) const = default;
};

struct Claim {
  std::string name;
  Uuid set_uuid;
  HostId host;           // that the claim was written on
  bool enabled = false;  // the set comes up by itself when the machine starts
  // A run that may write has begun, and has not ended with a clean stop.
  bool served = false;
  // Sectors whose newest data main does not have, at the last clean stop.
  std::uint64_t sectors_elsewhere = 0;
  // How long a boot waits for a device of the set, seconds. The metadata on the spare has it; this
  // is for when the spare is what is waited for. Until a start has recorded there what a user chose
  // here, the choice counts.
  std::uint32_t wait_s = format::kDefaultBootWaitS;
  bool wait_is_recorded = true;
  // The links by which udev named the file systems and partitions on the set's device, and what was
  // stacked on it, when it was last served: "/dev/disk/by-uuid/1234-ABCD", "/dev/mapper/vg-lv".
  // What waits for one of them waits for the set.
  std::vector<std::string> links;
  ClaimedDevice main;
  std::vector<ClaimedSpare> spares;  // by index; at least one

  bool operator==(const Claim&) const = default;

  // True if bare main must not be used: it is, or may be, older than the set, or the set is to
  // serve it.
  [[nodiscard]] bool hides_main() const { return enabled || served || sectors_elsewhere > 0; }
};

// True if the claim was written on another installation. Hosts of which one id is not known are not
// told apart by it.
[[nodiscard]] bool is_of_another_host(const Claim& claim, const HostId& here);
// True if the set is to come up by itself here.
[[nodiscard]] bool comes_up_on(const HostId& here, const Claim& claim);
// True if the claim was written by this installation on other hardware: it was restored or cloned.
[[nodiscard]] bool is_of_other_hardware(const Claim& claim, const HostId& here);

// The facts that a claim keeps of those that a set records: all but places and consents.
[[nodiscard]] std::vector<format::Fact> facts_to_claim(const std::vector<format::Fact>& facts);
[[nodiscard]] ClaimedDevice device_to_claim(std::string path, const format::Fingerprint& device,
                                            const std::vector<format::Fact>& facts);

// The facts in the form in which discovery::identify compares them.
[[nodiscard]] discovery::RecordedMain recorded(const ClaimedDevice& device);

}  // namespace dmremap::claims
