// SPDX-License-Identifier: GPL-2.0-or-later
// Groups of kinds of facts, for the rules that compare and record them. Pure.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "discovery/hardware_names.hpp"
#include "format/recorded_facts.hpp"

namespace dmremap::discovery {

using Facts = std::vector<format::Fact>;

// The numbers of the kinds are part of the format on the spare, and these are consecutive there.
inline bool is_own_name(format::FactKind kind) {
  return kind >= format::FactKind::naa && kind <= format::FactKind::serial;
}

inline bool is_hardware_name(format::FactKind kind) {
  return is_own_name(kind) || is_bridge_name(kind);
}

// True for a UUID that software wrote on the disks below: each copy of those disks has it.
inline bool is_name_by_software(format::FactKind kind) {
  return kind == format::FactKind::dm_uuid || kind == format::FactKind::md_uuid;
}

inline bool is_partition_place(format::FactKind kind) {
  return kind == format::FactKind::partition_uuid || kind == format::FactKind::partition_start;
}

// True for a name of a whole device that no copy of its contents would have.
inline bool names_a_device(format::FactKind kind) {
  return is_own_name(kind) || is_name_by_software(kind) || kind == format::FactKind::image;
}

inline std::vector<std::string> values_of(const Facts& facts, format::FactKind kind) {
  std::vector<std::string> out;
  for (const format::Fact& fact : facts) {
    if (fact.kind == kind) out.push_back(fact.value);
  }
  return out;
}

inline bool has_kind(const Facts& facts, format::FactKind kind) {
  return std::ranges::any_of(facts, [kind](const format::Fact& fact) { return fact.kind == kind; });
}

}  // namespace dmremap::discovery
