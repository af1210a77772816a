// SPDX-License-Identifier: GPL-2.0-or-later
// Stops what is done to a simulated spare before every write and every flush in turn, and lets the
// power cut take, keep, mix or spoil what was not flushed.
#pragma once

#include <cerrno>

#include <gtest/gtest.h>

#include "rig/store_rig.hpp"

namespace dmremap::metadata {

// What becomes of what was in flight; `unreadable`: lost, and the sectors cannot be read until they
// are written again.
enum class InFlight { lost, kept, some, unreadable };
inline constexpr InFlight kFates[] = {InFlight::lost, InFlight::kept, InFlight::some,
                                      InFlight::unreadable};

inline void power_cut(sim::SimDevice& spare, InFlight fate, std::mt19937_64& coin) {
  spare.set_hook({});
  const std::vector<SectorRange> in_flight = spare.unflushed_ranges();
  spare.power_cut([&](const sim::Request&, Sector) {
    return fate == InFlight::kept || (fate == InFlight::some && (coin() & 1U) != 0);
  });
  if (fate != InFlight::unreadable) return;
  for (const SectorRange& range : in_flight) spare.spoil(range, ENODATA);
}

// For every cut and fate: `prepare()`, then `act()` until the power goes, then `check(finished,
// fate)` on what is left. Returns the number of steps that `act` has.
template <typename Prepare, typename Act, typename Check>
std::uint64_t explore(StoreRig& rig, const Prepare& prepare, const Act& act, const Check& check) {
  std::mt19937_64 coin(11);
  for (std::uint64_t cut = 0;; ++cut) {
    bool finished = true;
    for (const InFlight fate : kFates) {
      prepare();
      rig.cut_at(cut);
      finished = true;
      try {
        act();
      } catch (const sim::PowerCut&) {
        finished = false;
      }
      power_cut(rig.spare, fate, coin);
      SCOPED_TRACE(testing::Message() << "cut " << cut << " fate " << static_cast<int>(fate));
      check(finished, fate);
      if (testing::Test::HasFatalFailure()) return cut;
    }
    if (finished) return cut;
  }
}

}  // namespace dmremap::metadata
