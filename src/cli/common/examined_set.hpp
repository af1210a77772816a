// SPDX-License-Identifier: GPL-2.0-or-later
// Examines the devices that were given to a verb: `examine`, `check`, `repair`, `resolve` and
// `release` begin with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"
#include "discovery/identity.hpp"
#include "io/file_device.hpp"
#include "metadata/survey.hpp"

namespace dmremap::cli {

// One device that was given, and what its metadata says.
struct ExaminedDevice {
  std::string path;
  std::unique_ptr<io::FileDevice> device;  // open for reading, shared with other programs
  metadata::Survey survey;
  std::string role = "unknown";  // "spare", "main", "unknown"
  std::optional<Uuid> uuid;
  // For a device without metadata, if the set is known: whether it is main of that set.
  std::optional<discovery::IdentityVerdict> as_main;
};

// All devices that were given, and the set that they hold.
struct ExaminedSet {
  std::vector<ExaminedDevice> devices;  // in the order given
  std::size_t spare = 0;                // index of the device whose metadata counts
  bool has_set = false;                 // if not, `spare` means nothing

  // The metadata that counts. Requires has_set.
  [[nodiscard]] const metadata::Survey& survey() const { return devices[spare].survey; }
};

// Examines any of the devices of one set, in any order, all at the same time. If two hold the set,
// the one with the later winner counts. Errors, of the first device in the order given that has
// one: as FileDevice::open; io; missing_device (it does not answer); ambiguous (several sets).
[[nodiscard]] Result<ExaminedSet> examine_devices(const std::vector<std::string>& paths);

// The error for devices of which none holds a set: no_metadata, or metadata_newer.
[[nodiscard]] Error no_set(const ExaminedSet& set);

// The spare of the set among these devices, held for writing, and surveyed again.
struct HeldSpare {
  std::unique_ptr<io::FileDevice> device;
  metadata::Survey survey;
};
// What is given are devices or the name of the set. Errors: as above, and as devices_meant; no_set;
// ambiguous (two devices hold it); device_in_use (the set runs).
[[nodiscard]] Result<HeldSpare> hold_spare(const std::vector<std::string>& given);

// True if every slot is whole and settled.
[[nodiscard]] bool is_undamaged(const metadata::Survey& survey);
// The number of sectors that are lost or gone by the winner.
[[nodiscard]] std::uint64_t lost_sectors(const metadata::Survey& survey);

[[nodiscard]] nlohmann::json commit_json(const metadata::CommitName& commit);
// The winner with `writable` and `reason`, or null.
[[nodiscard]] nlohmann::json winner_json(const metadata::Survey& survey);
// {"name", "uuid"}, or null.
[[nodiscard]] nlohmann::json set_json(const ExaminedSet& set);
[[nodiscard]] nlohmann::json set_json(const metadata::Survey& survey);
// "set NAME UUID".
[[nodiscard]] std::string set_text(const nlohmann::json& set);

}  // namespace dmremap::cli
