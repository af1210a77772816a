// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a device is the main that a set recorded (promises 8 and 12). Pure.
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
// nothing. Without a decisive fact that is equal it cannot be told, and the user must say.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "discovery/device_facts.hpp"
#include "format/content.hpp"

namespace dmremap::discovery {

// What a set recorded of its main.
struct RecordedMain {
  format::Fingerprint fingerprint;
  std::vector<format::Fact> facts;
  // The set was made before facts were recorded: names without a type are all there is.
  bool only_fingerprint = false;
  // A user said which device main is, and it had no decisive facts.
  bool no_identity = false;
  bool stopped_cleanly = false;

  bool operator==(const RecordedMain&) const = default;
};
[[nodiscard]] RecordedMain recorded_main(const format::Content& content);

// Hardware names that several present disks share: they prove nothing. Two devices that are paths
// to one disk (a transport that has such, and every name equal) are one disk.
using SharedFacts = std::set<format::Fact>;
[[nodiscard]] SharedFacts shared_facts(const std::vector<DiskNames>& disks);

// Whether there is a name among them that no copy of the device would have.
[[nodiscard]] bool has_own_name(const std::vector<format::Fact>& facts);

enum class Identity {
  same,      // proved, or said by the user before
  unproven,  // nothing proves it, nothing contradicts it
  different  // a decisive fact contradicts it
};
[[nodiscard]] std::string_view name_of(Identity identity);

struct IdentityVerdict {
  Identity identity = Identity::unproven;
  // `same` because the user said so once, and all that the device has agrees: counts only if it is
  // the one device of which that is true.
  bool by_consent = false;
  std::vector<std::string> agrees;   // "serial number S1"
  std::vector<std::string> differs;  // "serial number is S2, recorded was S1"
  // The file system or partition table on it has another UUID, or is gone.
  std::optional<std::string> contents_changed;
  // Another size or logical block than recorded, which no user has accepted yet; in words.
  std::optional<std::string> resized;
  std::optional<std::string> reblocked;

  // It is main, and nothing needs a user's word.
  [[nodiscard]] bool is_plainly_main() const {
    return identity == Identity::same && !contents_changed && !resized && !reblocked;
  }
};
[[nodiscard]] IdentityVerdict identify(const RecordedMain& recorded, const DeviceFacts& seen,
                                       const SharedFacts& shared);

// "agree: ...; differ: ..." for messages.
[[nodiscard]] std::string in_words(const IdentityVerdict& verdict);

// The facts to record of a main that is `seen` and was taken for main: those of now; beside them
// those of before that are decisive, were not equal, and belong to no attachment of an earlier
// boot. A user's consent adds the geometry that was accepted.
[[nodiscard]] format::RecordedFacts merge_main_facts(const RecordedMain& before,
                                                     const DeviceFacts& seen, bool accepted);

}  // namespace dmremap::discovery
