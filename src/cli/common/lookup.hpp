// SPDX-License-Identifier: GPL-2.0-or-later
// Sets by name, running or not.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/client.hpp"
#include "control/messages.hpp"
#include "control/runtime_dir.hpp"
#include "discovery/assembly.hpp"
#include "discovery/device_look.hpp"
#include "discovery/hints.hpp"
#include "manual/command_line.hpp"

namespace dmremap::cli {

// Time for an answer that needs no I/O, and for one that may wait for a failing disk.
inline constexpr std::chrono::seconds kAnswerTime{15};
inline constexpr std::chrono::minutes kWorkTime{15};

// An argument with a `/` is a device, else the name of a set.
[[nodiscard]] bool is_device_argument(const std::string& argument);

// The argument NAME of a verb. What is given may be anything that names a set
// (cli/common/set_names.hpp); the verb sees the name.
manual::Option add_set_name(manual::Verb verb, std::string& name, const std::string& text);
// The same for several sets.
manual::Option add_set_names(manual::Verb verb, std::vector<std::string>& names,
                             const std::string& text);

// True if a process serves a set of that name now.
[[nodiscard]] bool is_running(const control::RuntimeDir& runtime, const std::string& name);
// The same, and it is that set and not another one of its name. Asks the process.
[[nodiscard]] bool is_running(const control::RuntimeDir& runtime, const std::string& name,
                              const Uuid& uuid);

// The file in which a killed run of that name left what it knew (discovery/run_memory.hpp). It must
// not be read while the set runs.
[[nodiscard]] std::string memory_path(const control::RuntimeDir& runtime, const std::string& name);

// Error permission if there are sets that this user may not see: none of his own is meant.
[[nodiscard]] Result<void> check_visible(const control::RuntimeDir& runtime);
// For a list of all sets: warns that there are others, or fails with that if the list is `empty`.
[[nodiscard]] Result<void> tell_of_hidden(const control::RuntimeDir& runtime, bool empty);

// Errors: usage (no name), not_running, permission.
Result<control::Client> connect(const control::RuntimeDir& runtime, const std::string& name);

// Errors: as connect, timeout, protocol.
Result<control::SetReport> running_status(const control::RuntimeDir& runtime,
                                          const std::string& name);

// The spare of a set that does not run, by its hint or among the block devices; nothing is held.
// Whoever asks for several sets gives one look: each device is read once then, among them the
// failing mains of others. Errors: not_running if there is no such set here; ambiguous.
Result<discovery::Spare> stopped_set(const control::RuntimeDir& runtime, const std::string& name);
Result<discovery::Spare> stopped_set(const control::RuntimeDir& runtime, const std::string& name,
                                     discovery::DeviceLook& look);

// The report of a stopped set, as `status --json` prints it.
[[nodiscard]] control::SetReport stopped_report(const control::RuntimeDir& runtime,
                                                const discovery::Spare& stopped);

}  // namespace dmremap::cli
