// SPDX-License-Identifier: GPL-2.0-or-later
// Answers requests on a set's socket. What the requests do is the service's business.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"
#include "base/units.hpp"
#include "format/event.hpp"
#include "remap/engine.hpp"
#include "set/running_set.hpp"

namespace dmremap::control {

// Main, by state.
struct DiskMap {
  SectorCount size;
  std::vector<format::Extent> extents;         // sorted; what is in none is good
  SectorCount unit{1};                         // main's logical block
  std::uint64_t sequence = 0;                  // of a commit that all of it may be newer than
  std::vector<remap::FailingPlace> failing{};  // remapped sectors that do not read now, sorted
};

// True once nobody waits for the answer any more: the client hung up, or the server ends. What
// takes long asks between its steps, and ends there.
using StopCondition = std::function<bool()>;

// Called by several threads at once.
class Service {
 public:
  virtual ~Service() = default;
  virtual nlohmann::json status() = 0;
  // Events with a number above `after`; waits up to `timeout` for the first.
  virtual std::vector<format::Event> events(std::uint64_t after,
                                            std::chrono::milliseconds timeout) = 0;
  // Error not_running if they end before the range does; what is done by then stays done.
  virtual Result<remap::RelocationReport> relocate(SectorRange range,
                                                   const StopCondition& stop) = 0;
  virtual Result<remap::UnremapReport> unremap(SectorRange range, const StopCondition& stop) = 0;
  virtual Result<table::MarkReport> mark_known_bad(const table::KnownBad& list, bool dry_run) = 0;
  virtual Result<remap::BackfillReport> backfill(const remap::Backfill& fill) = 0;
  // Waits for the writes in flight.
  virtual Result<set::Moment> settle() = 0;
  // A verified copy was made: the clean stop is to record it.
  virtual Result<void> note_copy(const set::CopyMade& copy) = 0;
  virtual Result<DiskMap> disk_map() = 0;
  // Ends the set, or refuses and changes nothing. The process ends after the answer is out.
  virtual Result<void> stop() = 0;
};

class Server {
 public:
  // A few clients at a time; whoever comes beyond that is told so.
  static constexpr unsigned kMaxClients = 16;

  // Listens at once. `service` outlives the server.
  static Result<std::unique_ptr<Server>> start(const std::string& socket_path, Service& service);
  // Ends every connection (an answer being made is still sent) and removes the socket.
  virtual ~Server() = default;
};

}  // namespace dmremap::control
