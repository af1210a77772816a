// SPDX-License-Identifier: GPL-2.0-or-later
// A pass of the scan in a simulated life, as the product's own order has it.
#pragma once

#include "base/units.hpp"
#include "sim/dice.hpp"
#include "sim/lives/stage.hpp"

namespace dmremap::sim {

// Reads all of main up to `size` with ScanOrder, while the wall clock jumps by years both ways and
// the order is now and then what a restart makes of what was stored. Throws Broken if the pass does
// not end, or ends without having read all. False: the set could not read on.
[[nodiscard]] bool scan_in_order(Stage& stage, SectorCount size, Dice dice);

}  // namespace dmremap::sim
