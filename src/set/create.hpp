// SPDX-License-Identifier: GPL-2.0-or-later
// Creates a set: writes the metadata to the spare, and nothing to main. Afterwards either the set
// exists, or both devices and the directory of a spare file are as they were.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "discovery/hints.hpp"
#include "format/content.hpp"
#include "transfer/known_bad_source.hpp"

namespace dmremap::set {

struct CreateOptions {
  std::string name;
  std::string main_path;
  std::string spare_path;
  std::optional<std::uint64_t> spare_bytes;  // make the spare as a file of this size
  bool force = false;                // over a file system, partition table, damaged metadata
  std::optional<Uuid> destroy;       // over this very set
  std::optional<Uuid> discard_data;  // MAIN was main of this set, whose spare is given up
  std::optional<std::uint32_t> boot_wait_s;  // how long a boot waits for a device of the set
  transfer::KnownBadSource known_bad;        // sectors that the set shall know of from the start
};

struct CreateResult {
  format::Identity identity;
  discovery::RecordedMain main;  // the facts by which it is recognised
  std::vector<format::Fact> spare_facts;
  std::string main_path;   // absolute
  std::string spare_path;  // absolute
  SectorCount spare_data;  // what the spare can take
  table::MarkReport known_bad;
  std::vector<std::string> warnings;  // for people, one line each
};

// The caller must have made sure that no other set has the name. Opens main read-only (it may be
// mounted) and holds the spare exclusively. `known`: the sets that were seen on this host.
// Errors: the refusals of `create`; main_has_set, if MAIN is main or spare of another set;
// no_space; io.
Result<CreateResult> create(const CreateOptions& options, const discovery::Hints& known,
                            Clock& clock, Random& random);

}  // namespace dmremap::set
