// SPDX-License-Identifier: GPL-2.0-or-later
// A set as `status` shows it, running or not, with the conditions that hold and the words for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "base/uuid.hpp"
#include "format/content.hpp"
#include "metadata/store.hpp"
#include "remap/engine.hpp"
#include "set/conditions.hpp"
#include "set/health_status.hpp"
#include "set/scanner_status.hpp"

namespace dmremap::set {

struct SpareStatus {
  std::string path;
  Uuid uuid;
  std::string state;  // healthy, or the condition that concerns the spare
  // What of it the set does not use, and could: it was longer already when the set was opened. A
  // set that is not writable takes nothing over.
  SectorCount growable{};
};

struct Status {
  std::string name;
  Uuid uuid;
  Uuid run;           // of this opening alone; zeros if the set does not run
  std::string state;  // the worst condition: healthy degraded read-only tripped stopped
  std::vector<std::string> conditions;   // the words: the state first; `healthy` if there is none
  std::vector<ConditionReport> reports;  // the same with their texts, without `healthy`
  std::string reason;  // the texts of all of them in one line, for people; may be empty
  bool doubtful = false;
  std::uint64_t sequence = 0;
  std::uint64_t term = 0;
  SectorCount size;
  remap::TableCounts table;
  remap::EngineCounts io;
  metadata::CopyCount copies;
  std::string main_path;
  std::vector<SpareStatus> spares;     // by index; how full they are, all together: `table`
  std::uint64_t main_read_errors = 0;  // over the life of the set
  std::uint64_t main_write_errors = 0;
  std::optional<ScannerStatus> scan;   // of a running set that may write
  std::optional<HealthStatus> health;  // if the metadata has a history of the disk

  // True if a person must look at the set (exit status 4): it is doubtful, or any condition but
  // `stopped` holds. Remapped sectors alone are no reason.
  [[nodiscard]] bool needs_attention() const;
};

// What this host shows about a set that no process serves. A text is empty if there is nothing to
// tell.
struct HostView {
  std::string death;             // its process ended without a stop
  std::string main_absence;      // its main is known not to be there
  std::string export_trouble{};  // a way in which it is offered does not work now
};

// Fills state, conditions, reports, reason and the states of the spares from the rest. `reason` may
// hold a text before, of a doubtful set: it stays in front.
void judge(Status& status, const remap::Conditions& engine, bool running,
           const HostView& host = {});

// The status of a set that no process serves, from its metadata.
[[nodiscard]] Status stopped_status(const format::Content& content, const metadata::Survey& survey,
                                    const std::string& main_path, const std::string& spare_path,
                                    const HostView& host = {});

// The conditions alone, without the work that the health of the disk is.
[[nodiscard]] std::vector<ConditionReport> stopped_conditions(const format::Content& content,
                                                              const metadata::Survey& survey);

// Counts the metadata copies that hold the winning commit whole.
[[nodiscard]] metadata::CopyCount count_copies(const metadata::Survey& survey);

}  // namespace dmremap::set
