// SPDX-License-Identifier: GPL-2.0-or-later
// One look at a set from outside: whether a process serves it, whether that answers, and what it
// says. Who watches sets compares two looks (changes.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/messages.hpp"
#include "control/runtime_dir.hpp"

namespace dmremap::monitor {

enum class Presence : std::uint8_t {
  serving,   // its process answers
  changing,  // its process does not listen yet, or no more: it is being started or stopped
  silent,    // its process runs and does not answer
  died,      // its process ended without a stop
  vanished,  // its process runs, and its runtime files are gone
  stopped,
};

struct SetLook {
  std::string name;
  Presence presence = Presence::stopped;
  std::string reason;                        // of one that is silent or died: in words for people
  std::optional<control::SetReport> report;  // the last that it gave, also before this look
  std::vector<control::EventReport> events;  // since the look before, the oldest first

  // True if a person must look after it, as the exit status of `dmremap list` says it.
  [[nodiscard]] bool needs_attention() const;
};

// Says how the process of a dead set ended, and what to do. It needs what the layers above know.
using DeathInWords = std::function<std::string(const std::string& name)>;

// The time that a set has to answer. It needs no I/O for that.
inline constexpr std::chrono::seconds kLookTime{10};

// Looks at one set, without events. Takes about `time` at most, whatever the set does; 5 s more if
// its process accepts nobody.
[[nodiscard]] SetLook look_at(const control::RuntimeDir& runtime, const std::string& name,
                              const DeathInWords& death,
                              std::chrono::milliseconds time = kLookTime);

// Looks at all sets that run or died, by name, all at once. One that is being started or stopped
// has `settle` to be done with it, and is silent then.
[[nodiscard]] std::vector<SetLook> look_at_all(const control::RuntimeDir& runtime,
                                               const DeathInWords& death,
                                               std::chrono::milliseconds time,
                                               std::chrono::milliseconds settle);

}  // namespace dmremap::monitor
