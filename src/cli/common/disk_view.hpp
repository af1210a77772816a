// SPDX-License-Identifier: GPL-2.0-or-later
// A set by name, running or not, with its table: what the verbs that show main begin with.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "base/result.hpp"
#include "control/runtime_dir.hpp"
#include "control/server.hpp"
#include "view/explanation.hpp"

namespace dmremap::cli {

struct DiskView {
  nlohmann::json status;  // as `status --json` prints it
  control::DiskMap map;   // extents whole: with their place and evidence
  bool running = false;

  [[nodiscard]] std::string text(const char* field) const;  // of the status
  [[nodiscard]] bool doubtful() const;
  [[nodiscard]] std::string main_path() const;
  [[nodiscard]] std::string spare_path() const;
  [[nodiscard]] bool has_condition(const char* condition) const;
};

// Reads only. Errors: usage, not_running (no such set here), ambiguous, timeout; protocol (the set
// runs under another version).
[[nodiscard]] Result<DiskView> view_of(const std::string& name);

// The table alone, of a set of any version: where its data is and how large its logical block is
// may be missing.
[[nodiscard]] Result<control::DiskMap> disk_map_of(const std::string& name);

// The same of a set that runs, with its logical block and the commit that it is of: what changes
// the set, or reads it, by its table begins with. Errors: as connect; protocol.
[[nodiscard]] Result<control::DiskMap> running_map(const control::RuntimeDir& runtime,
                                                   const std::string& name);

// What bears on requests to it now.
[[nodiscard]] view::Situation situation_of(const DiskView& disk);

}  // namespace dmremap::cli
