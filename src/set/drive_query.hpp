// SPDX-License-Identifier: GPL-2.0-or-later
// Asks the drive below main, through smartctl, how it is doing, and tells whether the answer is
// that drive's own (docs/health-verdict.md).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/units.hpp"
#include "health/smart.hpp"
#include "set/drive_place.hpp"

namespace dmremap::set {

struct DriveAnswer {
  DrivePlace place;
  health::SmartReading reading;
  bool believed = false;
  std::string reason;  // why nothing is known, or nothing is believed; empty if it is believed
  std::vector<SectorRange> defects;  // of main, if believed: places to look at
};

// What is known of the disk from elsewhere than smartctl. `earlier_serial`: of an earlier answer
// that was believed.
[[nodiscard]] health::DiskIdentity identity_of(const DrivePlace& place,
                                               const std::string& earlier_serial);

// What follows from an answer of smartctl for a main of `size` sectors.
[[nodiscard]] DriveAnswer judge_answer(DrivePlace place, health::SmartReading reading,
                                       const health::DiskIdentity& disk, SectorCount size);

// What whoever adopts the disk should hear of it at once, in sentences; none if it is not believed.
[[nodiscard]] std::vector<std::string> warnings_of(const DriveAnswer& answer);

// One thread at a time.
// The program, or where it is if users' PATH does not have it.
[[nodiscard]] std::string smartctl_program();

class DriveQuery {
 public:
  // `main_path`: where main is now; it may change.
  DriveQuery(std::function<std::string()> main_path, SectorCount main_size);

  // Runs smartctl, for half a minute at most. A disk that sleeps is not woken. `wanted` is asked
  // several times a second whether to go on.
  [[nodiscard]] DriveAnswer ask(const std::string& earlier_serial,
                                const std::function<bool()>& wanted);

 private:
  [[nodiscard]] health::SmartReading run_smartctl(const std::string& node,
                                                  const std::function<bool()>& wanted);

  const std::function<std::string()> main_path_;
  const SectorCount main_size_;
  std::optional<pid_t> hanging_;  // an earlier smartctl that could not be killed
};

}  // namespace dmremap::set
