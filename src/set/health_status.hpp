// SPDX-License-Identifier: GPL-2.0-or-later
// What a set says of how its disk is doing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "health/forecast.hpp"
#include "health/verdict.hpp"

namespace dmremap::set {

// The drive's own account of itself.
struct SmartStatus {
  std::string state = "not-asked";  // else as health::SmartState has it
  std::string reason;               // why nothing is known or believed
  bool believed = false;
  std::uint64_t asked_s = 0;  // wall clock; 0: never in this run
  // Seconds; 0: as long as the drive likes; empty: not known.
  std::optional<double> read_recovery_s;
  std::optional<double> write_recovery_s;
  std::optional<std::uint64_t> kernel_timeout_s;
  std::string advice;  // what would help; empty: nothing to say
};

struct HealthStatus {
  health::HealthVerdict verdict;
  double observed_days = 0;
  std::optional<health::Forecast> spare;
  std::optional<health::Forecast> table;
  std::optional<SmartStatus> smart;  // empty of a set that does not run
};

}  // namespace dmremap::set
