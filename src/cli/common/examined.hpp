// SPDX-License-Identifier: GPL-2.0-or-later
// The devices of a set that a verb was given, looked at: what `examine`, `check`, `repair`,
// `resolve` and `release` begin with.
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

struct Examined {
  std::string path;
  std::unique_ptr<io::FileDevice> device;  // read-only, shared with whoever else has it
  metadata::Survey survey;
  std::string role = "unknown";  // "spare", "main", "unknown"
  std::optional<Uuid> uuid;
  // Of a device without metadata, if the set is known: whether it is its main.
  std::optional<discovery::IdentityVerdict> as_main;
};

struct ExaminedSet {
  std::vector<Examined> devices;  // as given
  std::size_t spare = 0;          // index of the spare that tells of the set
  bool has_set = false;           // if not, `spare` means nothing

  // The metadata that counts. Requires has_set.
  [[nodiscard]] const metadata::Survey& survey() const { return devices[spare].survey; }
};

// Any of the devices of one set, in any order. Of two that hold it, the one with the later winner
// counts. Errors: as FileDevice::open; io; ambiguous (several sets).
[[nodiscard]] Result<ExaminedSet> examine_devices(const std::vector<std::string>& paths);

// The error for devices of which none holds a set: no_metadata, or metadata_newer.
[[nodiscard]] Error no_set(const ExaminedSet& set);

// The spare of the set among these devices, held for writing, and surveyed again.
struct HeldSpare {
  std::unique_ptr<io::FileDevice> device;
  metadata::Survey survey;
};
// Errors: as above; no_set; ambiguous (two devices hold it); device_in_use (the set runs).
[[nodiscard]] Result<HeldSpare> hold_spare(const std::vector<std::string>& paths);

// Every slot whole and settled.
[[nodiscard]] bool is_undamaged(const metadata::Survey& survey);
// Sectors of the winner whose contents are lost or gone.
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
