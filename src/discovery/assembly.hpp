// SPDX-License-Identifier: GPL-2.0-or-later
// Which devices make up a set (promise 8: the right ones or none). A path is never identity: the
// spare is known by its metadata, main by the fingerprint recorded there.
//
// Two steps, so that what a dead run left behind can be cleared away in between: find_spare says
// which set it is, find_main completes it. Both ask one DeviceLook, which opens each device once.
// Nothing is held or written; RunningSet::open checks the same again on devices it holds.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "discovery/device_look.hpp"
#include "discovery/hints.hpp"
#include "discovery/main_choice.hpp"
#include "format/content.hpp"
#include "metadata/survey.hpp"
#include "os/usage.hpp"

namespace dmremap::discovery {

// A device of a set, found but not yet held.
struct Member {
  std::string path;
  // What was looked at there; whoever holds the device makes sure that it is still that.
  std::optional<DeviceInstance> seen;
};

struct Members {
  std::string name;
  Uuid set_uuid;
  Member main;
  std::vector<Member> spares;  // by index; one, so far
};

struct Spare {
  std::string path;  // absolute
  metadata::Survey survey;
  std::vector<std::string> others;  // the devices that were given with it, absolute

  // Of the winner, or the best candidate.
  [[nodiscard]] const format::Identity& identity() const { return survey.content->identity; }
};

// Opens read-only and surveys. Errors: as FileDevice::open and metadata::survey.
[[nodiscard]] Result<metadata::Survey> survey_path(const std::string& path);

// Among these devices, in any order. Errors: missing_device, metadata_doubtful (damaged metadata,
// no winner), metadata_newer, ambiguous, usage (too many), those of opening.
[[nodiscard]] Result<Spare> find_spare(const std::vector<std::string>& paths, DeviceLook& look);
// Where the hint says, and on every block device. Errors: missing_device, ambiguous.
[[nodiscard]] Result<Spare> find_spare(const std::string& name, const Hints& hints,
                                       DeviceLook& look);

struct MainSearch {
  std::string hint_path;    // where it was last seen; may be empty
  std::string accept_main;  // the user says that it is this device; may be empty
};

// The devices that main is chosen among: `spare.others`; if there are none, where main was last
// seen, the block devices of its size, and those with a name of its disk. A device that the spare
// lies on, or that lies on the spare, is none of them.
[[nodiscard]] std::vector<MainCandidate> look_for_main(const Spare& spare, const MainSearch& search,
                                                       DeviceLook& look);

// The one that look_for_main found and choose_main takes. A device that could be main if the user
// insists on more is returned too: RunningSet::open refuses it unless they do. Errors:
// missing_device, wrong_main, main_unproven, ambiguous.
[[nodiscard]] Result<Members> find_main(const Spare& spare, const MainSearch& search,
                                        DeviceLook& look);

// --- the decisions, pure ---

struct SpareFact {
  std::string path;
  std::string name;
  Uuid set_uuid;
  Uuid spare_uuid;
  std::vector<os::Storage> beneath;  // itself first
};

// What a device that holds metadata says of itself. Requires facts.has_set().
[[nodiscard]] SpareFact spare_fact(const CandidateFacts& facts);

// Index of the one spare among devices that hold metadata. Two views of one device (a loop device
// and its file) are one; the upper one is taken. Errors: missing_device (none), ambiguous.
[[nodiscard]] Result<std::size_t> choose_spare(const std::vector<SpareFact>& facts,
                                               const std::string& where);

}  // namespace dmremap::discovery
