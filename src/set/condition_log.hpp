// SPDX-License-Identifier: GPL-2.0-or-later
// Which conditions came and went since the last look, as events. Pure but for its memory.
#pragma once

#include <vector>

#include "format/event.hpp"
#include "set/conditions.hpp"

namespace dmremap::set {

// Not thread-safe.
class ConditionLog {
 public:
  // `known` needs no event: it held before, when the set was last open, and was told then.
  explicit ConditionLog(std::vector<ConditionReport> known) : known_(std::move(known)) {}

  // The events of what came and what went, given all conditions that hold now. Number and time are
  // for the event log to fill. A condition whose coming, or going, the engine or the start tells
  // itself makes no second event here.
  [[nodiscard]] std::vector<format::Event> update(const std::vector<ConditionReport>& now);

 private:
  std::vector<ConditionReport> known_;
};

}  // namespace dmremap::set
