// SPDX-License-Identifier: GPL-2.0-or-later
// The node of a block device that holds another one, and has the same bytes (OpenMode::through):
// who has this open needs no other hold. What it holds can be exchanged while it is open.
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::io {

// Thread-safe.
class HoldingNode {
 public:
  virtual ~HoldingNode() = default;

  [[nodiscard]] virtual std::string node() const = 0;
  // Holds the block device at `path` from now on, of which it shows the first `size`, and lets go
  // of the one before. Waits for requests that are under way. Errors: device_in_use; nothing has
  // changed then.
  [[nodiscard]] virtual Result<void> hold(const std::string& path, SectorCount size) = 0;
  // Holds nothing: what is asked of it fails.
  virtual void let_go() = 0;
};

}  // namespace dmremap::io
