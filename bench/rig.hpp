// SPDX-License-Identifier: GPL-2.0-or-later
// An engine as it runs in a set: over two devices and the real metadata on one of them.
#pragma once

#include <memory>
#include <vector>

#include "metadata/store.hpp"
#include "remap/engine.hpp"

namespace dmremap::bench {

class RunningEngine {
 public:
  // Makes a set on the devices, which outlive this object, and opens it with `extents` in its table
  // (sorted, as many as a slot holds; what they say the spare holds is whatever it holds). Throws
  // std::runtime_error.
  RunningEngine(io::BlockDevice& main, io::BlockDevice& spare,
                std::vector<format::Extent> extents = {});
  ~RunningEngine();
  RunningEngine(const RunningEngine&) = delete;
  RunningEngine& operator=(const RunningEngine&) = delete;

  [[nodiscard]] remap::Engine& operator*() { return *engine_; }
  [[nodiscard]] remap::Engine* operator->() { return engine_.get(); }

 private:
  std::unique_ptr<metadata::Store> store_;
  std::unique_ptr<remap::Engine> engine_;
};

// `count` extents of `sectors_each`, evenly spread over main of `main_size`, remapped one behind
// the other to the spare from `first_spare` on.
[[nodiscard]] std::vector<format::Extent> spread_extents(std::uint64_t count,
                                                         SectorCount sectors_each,
                                                         SectorCount main_size, Sector first_spare);

}  // namespace dmremap::bench
