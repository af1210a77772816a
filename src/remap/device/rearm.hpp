// SPDX-License-Identifier: GPL-2.0-or-later
// Looks for main while the breaker is tripped, and closes it when main is back: found by identity
// (MainReopener), of the same size, reading, and holding what main held (evidence.hpp). While a
// device is there that is not taken, the breaker's reason says which and why, with an event when
// that changes. Afterwards it leads there what goes to main past this process.
#pragma once

#include <chrono>
#include <string>

#include "base/periodic_thread.hpp"
#include "remap/data_path.hpp"

namespace dmremap::remap {

class Rearm {
 public:
  // Starts the thread. `reopener` outlives this.
  Rearm(DataPath& path, MainReopener& reopener, std::chrono::milliseconds interval);
  void stop() { thread_.stop(); }

 private:
  void look();
  // Main may have come back under another node, which the direct path has to learn.
  void lead_direct_path();
  // Why `device` is not main as it was left; empty: it is.
  [[nodiscard]] std::string refusal_of(io::BlockDevice& device);
  void explain(const std::string& refusal);

  DataPath& path_;
  MainReopener& reopener_;
  bool is_direct_told_ = false;  // that it does not follow
  PeriodicThread thread_;        // the last: it uses what is above
};

}  // namespace dmremap::remap
