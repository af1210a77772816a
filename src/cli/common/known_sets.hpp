// SPDX-License-Identifier: GPL-2.0-or-later
// All sets that this host knows: those that run, those whose process died, and those that it made
// or served before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "control/messages.hpp"
#include "control/runtime_dir.hpp"
#include "discovery/assembly.hpp"
#include "discovery/device_look.hpp"

namespace dmremap::cli {

struct KnownSet {
  std::string name;
  std::optional<Uuid> uuid;
  std::optional<std::int64_t> pid;
  std::string state;                    // as in its report; "unknown" if it does not answer
  std::vector<std::string> conditions;  // empty if it does not answer
  std::string reason;
  bool needs_attention = true;
  std::optional<control::SetReport> report;  // empty: it does not answer, or its spare is not here

  [[nodiscard]] bool is_running() const { return pid.has_value(); }
};

// The set that this is the report of.
[[nodiscard]] KnownSet known_by(control::SetReport report);

// The spare of a set that does not run: where it was last seen, and only if it is not there among
// all block devices, by `look`. Unlike stopped_set it does not look for a second one. Errors: as
// stopped_set.
[[nodiscard]] Result<discovery::Spare> spare_of_known(const control::RuntimeDir& runtime,
                                                      const std::string& name,
                                                      discovery::DeviceLook& look);

// The set of that name. Its process is asked, or its spare is read.
[[nodiscard]] KnownSet known_set(const control::RuntimeDir& runtime, const std::string& name,
                                 discovery::DeviceLook& look);
// The same, but of a set whose process died only what is known without its devices.
[[nodiscard]] KnownSet present_set(const control::RuntimeDir& runtime, const std::string& name);

// One word for the table: the state of a set that runs, or "stopped", "died" or "incomplete" (a
// device of it is not here).
[[nodiscard]] std::string state_word(const KnownSet& set);

// The mount points of the file systems on the set's device and on its partitions.
[[nodiscard]] std::vector<std::string> mount_points_of(const control::SetReport& set);

}  // namespace dmremap::cli
