// SPDX-License-Identifier: GPL-2.0-or-later
// Looks for a spare that is away under other names. A spare that comes back on the descriptor that
// is open answers by itself, which SpareWatch sees; one that was unplugged and comes back as
// another node has to be found by its metadata (SpareReopener). It is attached between two commits,
// and SpareWatch then finds that it answers. While a device is there that is not taken, the reason
// of the condition says which and why, with an event when that changes.
//
// In a thread of its own, because reading a device that nobody uses may take as long as a failing
// disk likes, and the spare itself may answer again meanwhile.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/periodic_thread.hpp"
#include "remap/data_path.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

class SpareReturn {
 public:
  // `remapper` outlives this; null: the set takes no writes. `reopeners`: by index of the spare,
  // and outlive this.
  SpareReturn(DataPath& path, Remapper* remapper, std::vector<SpareReopener*> reopeners,
              std::chrono::milliseconds interval);
  // Starts the thread, which looks at once, unless it runs already: a set whose spares never go
  // away has none. begin() and stop() are not called at the same time.
  void begin();
  void stop() { thread_.stop(); }
  // After stop(): goes on, if it had begun.
  void go_on() { thread_.go_on(); }

 private:
  void look(SpareDevice& spare, SpareReopener& reopener);
  [[nodiscard]] bool reattach(SpareDevice& spare, SpareReopener& reopener,
                              const SpareReopener::Found& found);
  void explain(SpareDevice& spare, const std::string& refusal);

  DataPath& path_;
  Remapper* const remapper_;
  const std::vector<SpareReopener*> reopeners_;
  bool begun_ = false;
  PeriodicThread thread_;  // the last: it uses what is above
};

}  // namespace dmremap::remap
