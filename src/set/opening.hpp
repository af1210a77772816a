// SPDX-License-Identifier: GPL-2.0-or-later
// The first half of a start: hold the devices and make sure that they are the right ones, before
// anything is written.
#pragma once

#include <memory>
#include <vector>

#include "base/result.hpp"
#include "discovery/identity.hpp"
#include "format/content.hpp"
#include "io/file_device.hpp"
#include "metadata/survey.hpp"
#include "remap/evidence/evidence_check.hpp"
#include "set/running_set.hpp"

namespace dmremap::set {

// Both devices of a set, held, and all that was learnt about them. Nothing was changed on them yet.
struct Opening {
  std::unique_ptr<io::FileDevice> main;
  std::vector<std::unique_ptr<io::FileDevice>> spares;  // by index
  metadata::Survey survey;                              // of the first
  discovery::RecordedMain main_recorded;
  discovery::DeviceFacts main_seen;
  discovery::SharedFacts shared;  // among the disks that were present when main was looked at
  bool main_accepted = false;     // the user named it with --accept-main
  bool main_changed = false;      // it was written to by others, and the user accepted that
  // Hashes of blocks that main still holds as it did when the last run ended. The engine goes on
  // from them.
  std::vector<remap::BlockHash> evidence;

  [[nodiscard]] const format::Content& content() const { return *survey.content; }
};

// Checks whether metadata like this may be served with these options. Errors: those refusals of
// `start` that have nothing to do with main.
[[nodiscard]] Result<void> check_metadata(const metadata::Survey& survey,
                                          const std::string& spare_path,
                                          const OpenOptions& options);

// Holds both devices, surveys the spare, refuses what is doubtful, compares main's identity and its
// recorded print. Writes nothing. Errors: the refusals of `start`.
Result<Opening> open_devices(const discovery::Members& members, const OpenOptions& options);

}  // namespace dmremap::set
