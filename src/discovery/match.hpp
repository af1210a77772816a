// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a device is the one that was recorded (promises 8 and 12). Pure.
#pragma once

#include <string>
#include <string_view>

#include "format/content.hpp"

namespace dmremap::discovery {

enum class Likeness {
  same,
  file_system_changed,  // the same device by its hardware, but what lies on it has another UUID
  different,
};
[[nodiscard]] std::string_view name_of(Likeness likeness);

struct MatchVerdict {
  Likeness likeness = Likeness::same;
  // Whether a person who knows better may insist (--accept-main-changed). A device of another size,
  // or another disk by its own account, is never accepted.
  bool overridable = false;
  // Something that only this device should have was there to compare, and is equal. A device that
  // is `same` without it merely does not contradict the record.
  bool confirmed = false;
  std::string reason;  // what contradicts, in words; empty for `same`

  bool operator==(const MatchVerdict&) const = default;
};

// The first that decides: size; logical block; world-wide name, or where either lacks one the
// serial number; partition UUID; then the UUID of the file system. What is missing on either side
// contradicts nothing, with one exception: a file system that was recorded, is gone, and whose
// place reads well. Path, model, kind and physical block never decide: they change with the way a
// device is attached.
[[nodiscard]] MatchVerdict match(const format::Fingerprint& recorded,
                                 const format::Fingerprint& seen);

}  // namespace dmremap::discovery
