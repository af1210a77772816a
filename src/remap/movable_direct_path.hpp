// SPDX-License-Identifier: GPL-2.0-or-later
// A direct path that can be led to where main is now: main may come back under another node.
#pragma once

#include <functional>

#include "base/result.hpp"
#include "io/block_device.hpp"
#include "remap/direct_path.hpp"

namespace dmremap::remap {

// Thread-safe.
class MovableDirectPath : public DirectPath {
 public:
  // False: it was made for devices that are gone, and has to be led. What it lets through was let
  // through by an earlier process, and nothing more may be.
  [[nodiscard]] virtual bool reaches_main() const = 0;
  // From now on requests past this process go to `main`, by which this process serves; all is
  // withheld. What was written past this process until then and is not durable is handed to
  // `note_unflushed` before, and counts as durable here. Requests wait meanwhile, and none is lost.
  // An error: requests go where they went before, or, if it came late, all of them come through
  // this process; what was handed to `note_unflushed` may not count as durable here. It may be
  // called again. The caller has begun a change (DirectChange). One caller at a time, on a thread
  // that no request waits for.
  [[nodiscard]] virtual Result<void> follow_main(
      io::BlockDevice& main, const std::function<void(SectorRange)>& note_unflushed) = 0;

 protected:
  ~MovableDirectPath() = default;
};

}  // namespace dmremap::remap
