// SPDX-License-Identifier: GPL-2.0-or-later
// What is recorded of a main: the part of identity.hpp that does not judge.
#include <algorithm>
#include <string>

#include "discovery/fact_kinds.hpp"
#include "discovery/hardware_names.hpp"
#include "discovery/identity.hpp"
#include "discovery/useless_names.hpp"

namespace dmremap::discovery {

using format::Fact;
using format::FactKind;

namespace {

// True for facts that stay with the device when it is moved to another port or host.
bool is_of_this_device(const Fact& fact) {
  return names_a_device(fact.kind) || is_partition_place(fact.kind) ||
         fact.kind == FactKind::disk_below;
}

void add_once(Facts& facts, const Fact& fact) {
  if (std::ranges::find(facts, fact) == facts.end()) facts.push_back(fact);
}

// True for a serial number that version 5.0.0 may have taken from a USB bridge, as it did not tell
// whose it is: the bridge shows it now, and nothing else was recorded that is the disk's own.
bool may_be_a_bridges(const Fact& fact, const Facts& recorded, const Facts& seen) {
  if (fact.kind != FactKind::serial) return false;
  const bool has_other_name = std::ranges::any_of(recorded, [](const Fact& other) {
    return is_own_name(other.kind) && other.kind != FactKind::serial;
  });
  const Fact of_bridge{FactKind::bridge_serial, fact.value};
  return !has_other_name && std::ranges::find(seen, of_bridge) != seen.end();
}

// Adds what users accepted, at earlier starts and now: the geometry, and the port of the device.
void record_what_was_accepted(const RecordedMain& before, const DeviceFacts& seen, bool accepted,
                              Facts& main) {
  const auto ports = values_of(seen.facts, FactKind::port);
  for (const Fact& fact : before.facts) {
    const bool is_geometry =
        fact.kind == FactKind::accepted_size || fact.kind == FactKind::accepted_logical_block;
    const bool is_port = fact.kind == FactKind::accepted_port && (!accepted || ports.empty());
    if (is_geometry || is_port) add_once(main, fact);
  }
  if (accepted && !ports.empty()) add_once(main, {FactKind::accepted_port, ports.front()});
  if (accepted && seen.fingerprint.size != before.fingerprint.size) {
    add_once(main, {FactKind::accepted_size, std::to_string(seen.fingerprint.size.value)});
  }
  if (accepted && seen.fingerprint.logical_block_bytes != before.fingerprint.logical_block_bytes) {
    add_once(main, {FactKind::accepted_logical_block,
                    std::to_string(seen.fingerprint.logical_block_bytes)});
  }
}

}  // namespace

RecordedMain recorded_main(const format::Content& content) {
  RecordedMain out;
  out.fingerprint = content.identity.main;
  out.only_fingerprint = !content.facts.has_value();
  out.stopped_cleanly = content.health.clean;
  if (content.facts) {
    out.facts = content.facts->main;
    out.no_identity = content.facts->main_has_no_identity;
  } else if (!out.fingerprint.part_uuid.empty()) {
    // The set was created before facts were recorded: values of its fingerprint are used as facts.
    out.facts.push_back({FactKind::partition_uuid, out.fingerprint.part_uuid});
  }
  if (out.only_fingerprint && !out.fingerprint.serial.empty()) {
    out.facts.push_back({FactKind::serial, out.fingerprint.serial});
  }
  return out;
}

format::RecordedFacts merge_main_facts(const RecordedMain& before, const DeviceFacts& seen,
                                       bool accepted, const SharedFacts& shared) {
  format::RecordedFacts out;
  const UselessNames useless(before.facts, shared);
  out.main = useless.without(seen.facts);
  const auto is_decisive = [](const Fact& fact) {
    return is_of_this_device(fact) || is_bridge_name(fact.kind) ||
           fact.kind == FactKind::attachment;
  };
  const auto first_hint = std::ranges::find_if_not(out.main, is_decisive);
  Facts kept;
  // A recorded name that the device does not show today is kept, because it may be shown again: a
  // dock hides it, or a kernel update changes its type. The same holds for a name that a user has
  // overruled.
  for (const Fact& fact : useless.without(before.facts)) {
    const bool keep = accepted ? names_a_device(fact.kind) || fact.kind == FactKind::disk_below
                               : is_of_this_device(fact) && !has_kind(out.main, fact.kind);
    if (keep && std::ranges::find(out.main, fact) == out.main.end() &&
        !may_be_a_bridges(fact, before.facts, seen.facts)) {
      add_once(kept, fact);
    }
  }
  for (const Facts* const facts : {&before.facts, &seen.facts}) {
    for (const Fact& fact : *facts) {
      if (fact.kind == FactKind::shared_name) add_once(kept, fact);
      const bool was_shared = is_hardware_name(fact.kind) && shared.contains(as_name_of_disk(fact));
      if (was_shared && !names_nothing(fact)) add_once(kept, as_shared_name(fact));
    }
  }
  // Decisive kinds come first in what is recorded.
  out.main.insert(first_hint, kept.begin(), kept.end());
  record_what_was_accepted(before, seen, accepted, out.main);
  out.main_has_no_identity =
      !has_own_name(useless.without(seen.facts)) && (accepted || before.no_identity);
  return out;
}

}  // namespace dmremap::discovery
