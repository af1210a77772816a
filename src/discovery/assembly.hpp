// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the devices that make up a set (promise 8: the right ones or none). A path is never
// identity: the spare is recognised by its metadata, main by the fingerprint recorded there.
//
// There are two steps, so that what a dead run left behind can be cleared away in between:
// find_spare tells which set it is, find_main completes it. Both use one DeviceLook, which opens
// each device once. Nothing is held or written; RunningSet::open checks the same again on devices
// it holds.
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
  // The device that was looked at. A start that holds the path must check that it is still this
  // one.
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

  // From the winning commit, or from the best candidate if there is no winner.
  [[nodiscard]] const format::Identity& identity() const { return survey.content->identity; }
};

// Opens the device read-only and surveys it. Errors: as FileDevice::open and metadata::survey.
[[nodiscard]] Result<metadata::Survey> survey_path(const std::string& path);

// Finds the spare among these devices, which may be in any order. Errors: missing_device,
// metadata_doubtful (damaged metadata, no winner), metadata_newer, ambiguous, usage (too many),
// those of opening.
[[nodiscard]] Result<Spare> find_spare(const std::vector<std::string>& paths, DeviceLook& look);
// Finds the spare of the set with this name, this UUID, or a UUID that begins so: where the hint
// says, and on every block device.
// Errors: missing_device, ambiguous.
[[nodiscard]] Result<Spare> find_spare(const std::string& name, const Hints& hints,
                                       DeviceLook& look);

struct MainSearch {
  std::string hint_path;    // where it was last seen; may be empty
  std::string accept_main;  // the device that the user says is main; may be empty
};

// Returns the devices that main is chosen among: `spare.others` and `search.accept_main`. If there
// are no others: the device where main was last seen, the block devices of its size, and those with
// a name of its disk. A device that the spare lies on, or that lies on the spare, is never among
// them.
[[nodiscard]] std::vector<MainCandidate> look_for_main(const Spare& spare, const MainSearch& search,
                                                       DeviceLook& look);

// Completes the set with the device that look_for_main finds and choose_main takes. A device that
// needs a further consent of the user is returned too: RunningSet::open refuses it without. Errors:
// missing_device, wrong_main, main_unproven, ambiguous.
[[nodiscard]] Result<Members> find_main(const Spare& spare, const MainSearch& search,
                                        DeviceLook& look);

// --- the decisions, pure ---

// The facts by which one spare is chosen among several devices with metadata.
struct SpareFact {
  std::string path;
  std::string name;
  Uuid set_uuid;
  Uuid spare_uuid;
  std::vector<os::Storage> beneath;  // itself first
};

// Takes these facts from what was learnt of a device. Requires facts.has_set().
[[nodiscard]] SpareFact spare_fact(const CandidateFacts& facts);

// Returns the index of the one spare among devices that hold metadata. Two views of one device (a
// loop device and its file) count as one, and the upper one is taken. Errors: missing_device
// (none), ambiguous.
[[nodiscard]] Result<std::size_t> choose_spare(const std::vector<SpareFact>& facts,
                                               const std::string& where);

}  // namespace dmremap::discovery
