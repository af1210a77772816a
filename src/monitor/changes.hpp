// SPDX-License-Identifier: GPL-2.0-or-later
// What there is to tell about a set after a look at it. Pure.
#pragma once

#include <vector>

#include "monitor/message.hpp"
#include "monitor/set_look.hpp"

namespace dmremap::monitor {

// The messages for what became worse or better from one look to the next. Each is told once: what
// held before and still holds is not told again, also over a restart of the set.
//
// `before` is the last look at this set by the same watcher. A set that was not there before has
// one that is `stopped` and has no report; then all that holds now is told.
//
// The reports show what holds at the two moments. What came and went between them is in the events,
// and is told as two messages.
[[nodiscard]] std::vector<Message> changes(const SetLook& before, const SetLook& after);

// What holds now, for a watcher that has just begun: as above, but that a set runs is no news.
[[nodiscard]] std::vector<Message> what_holds(const SetLook& now);

}  // namespace dmremap::monitor
