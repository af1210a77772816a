// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/useless_names.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace dmremap::discovery {

using format::Fact;

Fact as_shared_name(const Fact& fact) {
  const Fact name = as_name_of_disk(fact);
  return {format::FactKind::shared_name,
          fmt::format("{}:{}", static_cast<unsigned>(name.kind), name.value)};
}

bool UselessNames::contains(const Fact& fact) const {
  if (!is_hardware_name(fact.kind)) return false;
  const bool was_shared = std::ranges::find(recorded_, as_shared_name(fact)) != recorded_.end();
  return was_shared || names_nothing(fact) || shared_.contains(as_name_of_disk(fact));
}

Facts UselessNames::without(const Facts& facts) const {
  Facts out;
  std::ranges::copy_if(facts, std::back_inserter(out),
                       [this](const Fact& fact) { return !contains(fact); });
  return out;
}

}  // namespace dmremap::discovery
