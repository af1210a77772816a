// SPDX-License-Identifier: GPL-2.0-or-later
// Does the spare take writes? Tried where a mistake can harm nobody: zeros go to sectors that are
// free by the last commit and that no request in flight can name, the very ones that the next remap
// would get. A crash during a trial leaves sectors with zeros that nothing names.
#pragma once

#include <string>

#include "remap/data_path.hpp"

namespace dmremap::remap {

struct SpareTrial {
  SpareState state = SpareState::answers;
  std::string reason;     // for people; empty if it answers
  unsigned failures = 0;  // requests of the trial that failed: each left a sign of trouble
};

// Called by the remapper, which alone may use the allocator of the spare, after it made sure that
// no other program writes to the spare. Leaves the allocator as it was.
[[nodiscard]] SpareTrial try_spare(DataPath& path, SpareDevice& spare);

// What an error of the spare comes to once the device was asked (SpareDevice::diagnose). `error`
// is of a write.
[[nodiscard]] SpareTrial trial_of(io::Fault fault, int error);

}  // namespace dmremap::remap
