// SPDX-License-Identifier: GPL-2.0-or-later
// Disks to be drawn: what a picture must be legible for.
#pragma once

#include <string>
#include <vector>

#include "view/disk_caption.hpp"

namespace dmremap::view::examples {

// A disk with the table that its facts refer to.
struct ExampleMap {
  std::vector<format::Extent> extents;
  MapFacts facts;  // without its extents

  // Valid as long as the example is.
  [[nodiscard]] MapFacts drawn() const;
};

// "healthy", "every-state", "mostly-dead", "scattered" (8 TiB with 5000 bad places), "region" (a
// part of "every-state"), "hostile" (texts that nobody vouches for).
[[nodiscard]] std::vector<std::string> names();
// Requires one of these names.
[[nodiscard]] ExampleMap by_name(const std::string& name);

}  // namespace dmremap::view::examples
