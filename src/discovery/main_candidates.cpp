// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/main_candidates.hpp"

#include <algorithm>
#include <utility>

#include "discovery/hardware_names.hpp"

namespace dmremap::discovery {

namespace {

// True if the device at `path` is `storage`, whatever other names it has.
bool is_at(const CandidateMap& seen, const std::string& path, const os::Storage& storage) {
  const auto found = seen.find(path);
  return found != seen.end() && !found->second.beneath.empty() &&
         found->second.beneath.front() == storage;
}

// A device that shares storage with the spare cannot be main: writes to it would destroy the
// metadata or the remapped sectors.
bool is_apart_from_spare(const CandidateFacts& facts, const WantedMain& wanted) {
  return !lies_on(facts.beneath, wanted.spare_beneath) &&
         !lies_on(wanted.spare_beneath, facts.beneath);
}

// True if a device that was not named is worth being read: it has main's size, or its disk shows
// one of the recorded names. A failing disk may take a minute for each sector, so most are not
// read.
bool is_likely(const CandidateFacts& facts, const RecordedMain& recorded) {
  return appearance(facts.disk_names, recorded.facts) == Appearance::main ||
         facts.size == recorded.fingerprint.size;
}

// The devices that may be main, each once, under the first of its paths in `places`. A device
// counts as named if any of its paths was named.
std::vector<MainPlace> devices_at(const std::vector<MainPlace>& places, const CandidateMap& seen,
                                  const WantedMain& wanted) {
  std::vector<MainPlace> out;
  for (const MainPlace& place : places) {
    const CandidateFacts& facts = seen.at(place.path);
    if (facts.unopened || facts.beneath.empty() || !is_apart_from_spare(facts, wanted)) continue;
    if (!place.named && !is_likely(facts, wanted.recorded)) continue;
    const auto known = std::ranges::find_if(out, [&](const MainPlace& other) {
      return is_at(seen, other.path, facts.beneath.front());
    });
    if (known == out.end()) {
      out.push_back(place);
    } else {
      known->named = known->named || place.named;
    }
  }
  return out;
}

}  // namespace

Appearance appearance(const std::vector<format::Fact>& names,
                      const std::vector<format::Fact>& recorded) {
  Appearance out = Appearance::unknown;
  for (const format::Fact& name : names) {
    for (const format::Fact& fact : recorded) {
      const format::Fact one = as_name_of_disk(name);
      const format::Fact other = as_name_of_disk(fact);
      if (one == other) return Appearance::main;
      if (one.kind == other.kind) out = Appearance::another;
    }
  }
  return out;
}

Appearance appearance_at(const std::string& path, const RecordedMain& recorded) {
  const auto storage = os::storage_of(path);
  if (!storage || !storage->is_block_device()) return Appearance::unknown;
  return appearance(hardware_names(storage->device), recorded.facts);
}

std::vector<std::string> mains_to_identify(const std::vector<MainPlace>& places,
                                           const CandidateMap& seen, const WantedMain& wanted) {
  std::vector<std::string> out;
  for (MainPlace& place : devices_at(places, seen, wanted)) out.push_back(std::move(place.path));
  return out;
}

std::vector<MainCandidate> main_candidates(const std::vector<MainPlace>& places,
                                           const CandidateMap& seen, const WantedMain& wanted,
                                           const SharedFacts& shared) {
  std::vector<MainCandidate> out;
  for (const MainPlace& place : devices_at(places, seen, wanted)) {
    const CandidateFacts& facts = seen.at(place.path);
    // Of a device that cannot even be asked for its identity nothing is known that could prove it.
    if (!facts.identity || !*facts.identity) continue;
    MainCandidate one;
    one.device = **facts.identity;
    one.device.path = facts.path;  // that of the facts may be cut
    one.verdict = identify(wanted.recorded, one.device, shared);
    one.named = place.named;
    // The user may have given another name of the device than the one it was found by.
    one.accepted = is_at(seen, wanted.accepted_path, facts.beneath.front());
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace dmremap::discovery
