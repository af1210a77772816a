// SPDX-License-Identifier: GPL-2.0-or-later
// The names of devices that prove nothing, though they are of kinds that prove something. Pure.
#pragma once

#include "discovery/fact_kinds.hpp"
#include "discovery/identity.hpp"

namespace dmremap::discovery {

// A name that two disks showed at once, as it is recorded: it proves nothing ever since.
[[nodiscard]] format::Fact as_shared_name(const format::Fact& fact);

// Tells the names that prove nothing: placeholders, names that several present disks share, and
// those that are recorded as shared. Both lists must outlive it.
class UselessNames {
 public:
  UselessNames(const Facts& recorded, const SharedFacts& shared)
      : recorded_(recorded), shared_(shared) {}

  [[nodiscard]] bool contains(const format::Fact& fact) const;
  [[nodiscard]] Facts without(const Facts& facts) const;

 private:
  const Facts& recorded_;
  const SharedFacts& shared_;
};

}  // namespace dmremap::discovery
