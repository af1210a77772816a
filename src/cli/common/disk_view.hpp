// SPDX-License-Identifier: GPL-2.0-or-later
// A set by name, running or not, with its table. The verbs that show main begin with it.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "control/messages.hpp"
#include "control/runtime_dir.hpp"
#include "format/content.hpp"
#include "view/explanation.hpp"

namespace dmremap::cli {

struct DiskView {
  control::SetReport status;
  control::DiskMap map;  // extents whole: with their place and evidence
  bool running = false;
  // Of a stopped set: main as the metadata has it.
  std::optional<format::Fingerprint> recorded_main{};

  [[nodiscard]] std::string spare_path() const;
};

// Reads only. Errors: usage, not_running (no such set here), ambiguous, timeout; protocol (the set
// runs under another version).
[[nodiscard]] Result<DiskView> view_of(const std::string& name);

// The table alone. Of a set that does not run, how large its logical block is, is not known.
[[nodiscard]] Result<control::DiskMap> disk_map_of(const std::string& name);

// The same for a running set, with its logical block and a commit that the table is no older than.
// The verbs that change or read the set by its table begin with it. Errors: as connect; protocol.
[[nodiscard]] Result<control::DiskMap> running_map(const control::RuntimeDir& runtime,
                                                   const std::string& name);

// The condition of the set, as far as it matters to requests now.
[[nodiscard]] view::Situation situation_of(const DiskView& disk);

}  // namespace dmremap::cli
