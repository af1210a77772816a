// SPDX-License-Identifier: GPL-2.0-or-later
// The conditions of a set: what it can no longer do, or soon cannot (promise 13). One pure function
// finds all that hold from what the engine, the metadata and the two devices show. `status` and
// `list` print them, and condition_log.hpp makes an event of each that comes or goes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "metadata/store.hpp"
#include "remap/engine.hpp"

namespace dmremap::set {

// In the order in which `status` shows them. The first four are also states of the set.
enum class Condition : std::uint8_t {
  stopped,
  tripped,
  read_only,
  degraded,  // metadata copies are damaged, or main held other data than was written
  died,
  main_missing,
  main_read_only,
  device_resized,
  spare_away,
  spare_refuses,
  data_lost,
  spare_full,
  table_full,
  spare_low,
  table_low,
};

// "spare-away": the word of the command line, of JSON and of the events.
[[nodiscard]] std::string_view name_of(Condition condition);

// A condition that holds, and why, in a few words for people.
struct ConditionReport {
  Condition condition = Condition::stopped;
  std::string text;  // may be empty for `stopped`

  bool operator==(const ConditionReport&) const = default;
};

// What a set shows of itself at one moment.
struct Observations {
  bool running = false;
  std::string death;         // how its process ended without a stop, in words; empty: it did not
  std::string main_absence;  // why main is known not to be there although nothing runs; else empty
  remap::Conditions engine;
  remap::TableCounts table;
  metadata::CopyCount copies;
  std::string
      export_trouble;  // a way in which it is offered does not work now, and why; else empty
};

// All conditions that hold, sorted, none twice; empty for a healthy set that runs. Pure.
[[nodiscard]] std::vector<ConditionReport> conditions_of(const Observations& seen);

// The state of a set: the worst of its conditions, as one of "stopped", "tripped", "read-only",
// "degraded" and "healthy". Everything but `stopped` alone makes it at least degraded. Pure.
[[nodiscard]] std::string_view state_of(const std::vector<ConditionReport>& conditions);

// True if a person must look at the set (exit status 4): any condition but `stopped` holds.
[[nodiscard]] bool needs_attention(const std::vector<ConditionReport>& conditions);

}  // namespace dmremap::set
