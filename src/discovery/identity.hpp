// SPDX-License-Identifier: GPL-2.0-or-later
// Decides whether a device is the main that a set recorded (promises 8 and 12). Pure.
//
// Facts are of three kinds.
//   decisive    a name that the hardware gives the disk, of one type and no placeholder, which no
//               two present disks share; for a partition its disk's name together with its own
//               start or UUID; the UUID of a device-mapper or md device; the handle of an image in
//               its file system; within one boot the same attachment
//   supporting  UUIDs and labels of what lies on the device: `dd` copies them all
//   hints       path and port
// A decisive fact that is equal proves that it is the device, unless another decisive fact of a
// type that both sides have is unequal. A fact that was recorded and is missing now contradicts
// nothing. Without an equal decisive fact the device is unproven, and the user must say if it is
// main.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "discovery/device_facts.hpp"
#include "format/content.hpp"

namespace dmremap::discovery {

// The facts that a set recorded about its main.
struct RecordedMain {
  format::Fingerprint fingerprint;
  std::vector<format::Fact> facts;
  // The set was created by a version that recorded no facts. Its fingerprint is all there is, with
  // names that have no type.
  bool only_fingerprint = false;
  // A user said which device main is, and it had no decisive facts.
  bool no_identity = false;
  bool stopped_cleanly = false;

  bool operator==(const RecordedMain&) const = default;
};
[[nodiscard]] RecordedMain recorded_main(const format::Content& content);

// Hardware names that several present disks share, and that therefore prove nothing. Two devices
// that are paths to one disk (their transport allows several paths, and all names are equal) count
// as one. A name that a USB bridge shows is here in the form that the disk itself would show.
using SharedFacts = std::set<format::Fact>;
[[nodiscard]] SharedFacts shared_facts(const std::vector<DiskNames>& disks);

// True if one of the facts is a name that a copy of the device would not have.
[[nodiscard]] bool has_own_name(const std::vector<format::Fact>& facts);

enum class Identity {
  same,      // proved, or said by the user before
  unproven,  // nothing proves it, nothing contradicts it
  different  // a decisive fact contradicts it
};
[[nodiscard]] std::string_view name_of(Identity identity);

// The result of identify().
struct IdentityVerdict {
  Identity identity = Identity::unproven;
  // The identity is `same` only because the user accepted such a device once and everything that
  // can be compared still agrees. That counts only if it is true of one single device.
  bool by_consent = false;
  // It is at the port of the device that a user said is main. Decides between several that show the
  // same names, such as the paths of one disk, and proves nothing.
  bool at_accepted_port = false;
  std::vector<std::string> agrees;   // "serial number S1"
  std::vector<std::string> differs;  // "serial number is S2, recorded was S1"
  // The file system or partition table on it has another UUID, or is gone.
  std::optional<std::string> contents_changed;
  // The size or the logical block differs from the recorded one, and no user has accepted that yet;
  // in words.
  std::optional<std::string> resized;
  std::optional<std::string> reblocked;

  // True if the device is main and nothing about it needs a user's consent.
  [[nodiscard]] bool is_plainly_main() const {
    return identity == Identity::same && !contents_changed && !resized && !reblocked;
  }
};
[[nodiscard]] IdentityVerdict identify(const RecordedMain& recorded, const DeviceFacts& seen,
                                       const SharedFacts& shared);

// "agree: ...; differ: ..." for messages.
[[nodiscard]] std::string in_words(const IdentityVerdict& verdict);

// The facts to record after `seen` was taken for main: all facts of now, and of the recorded ones
// the decisive names of kinds that the device does not show now. An attachment of an earlier boot
// is dropped. With a user's consent (`accepted`) the recorded names of a whole device are kept even
// if they were overruled, and the geometry that was accepted is added. A name that is among
// `shared` is recorded as such, and proves nothing in any later comparison, also when the other
// disk is away.
[[nodiscard]] format::RecordedFacts merge_main_facts(const RecordedMain& before,
                                                     const DeviceFacts& seen, bool accepted,
                                                     const SharedFacts& shared = {});

}  // namespace dmremap::discovery
