// SPDX-License-Identifier: GPL-2.0-or-later
// Makes events of the conditions that came and went since the last look. Pure but for its memory.
#pragma once

#include <vector>

#include "format/event.hpp"
#include "set/conditions.hpp"

namespace dmremap::set {

// Not thread-safe.
class ConditionLog {
 public:
  // `known` are conditions that held when the set was last open. They were told then and need no
  // event.
  explicit ConditionLog(std::vector<ConditionReport> known) : known_(std::move(known)) {}

  // Takes all conditions that hold now, and returns the events of those that came and those that
  // went. The event log fills in number and time. If the engine or the start makes an event of the
  // coming or the going of a condition itself, there is no second one here.
  [[nodiscard]] std::vector<format::Event> update(const std::vector<ConditionReport>& now);

 private:
  std::vector<ConditionReport> known_;
};

}  // namespace dmremap::set
