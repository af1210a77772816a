// SPDX-License-Identifier: GPL-2.0-or-later
// One running set: its life from open to stop. Owns the devices, the metadata store, the engine and
// the event log.
//
// Order of a start, each step leaving the set as it was until the activation commits:
//   hold both devices; survey the spare; refuse what is doubtful; compare main's identity and its
//   recorded print; activate (which clears the print); start the engine; only then serve.
// Order of a stop: front ends first (not ours); flush; record main's print and the file system
// UUID;
//   commit; let go of the devices.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "discovery/assembly.hpp"
#include "discovery/identity.hpp"
#include "remap/engine.hpp"
#include "set/event_log.hpp"
#include "set/status.hpp"

namespace dmremap::set {

struct OpenOptions {
  bool read_only = false;  // serve what is there, write nothing anywhere
  bool stale_ok = false;   // with read_only: a doubtful or forked set too
  // Main is opened without the right to write, and all that is written goes to the spare.
  bool main_read_only = false;
  bool degraded = false;             // accepted; a set with one spare has nothing to do without
  bool accept_main_changed = false;  // main's print or file system UUID differs from the recorded
  // The user says that this device is main, though what is recorded cannot prove it. Empty: not
  // said. It is recorded, so that once is enough.
  std::string accept_main;
  // Where a run keeps what is worth having after it was killed (discovery/run_memory.hpp). Empty:
  // nowhere.
  std::string memory_path;
};

// A moment of a run: until another write is counted, the set serves what it serves now.
struct Moment {
  Uuid run;                  // of this opening alone
  std::uint64_t writes = 0;  // all of them done
};

// A verified copy of what the set serves, made while it ran.
struct CopyMade {
  Moment since;                       // when it began
  std::vector<SectorRange> left_out;  // lost or gone then
};

// Thread-safe but for stop(), which is called once, last.
class RunningSet {
 public:
  // Errors: the refusals of `start`; io. Nothing was written then, but for a failed activation.
  static Result<std::unique_ptr<RunningSet>> open(const discovery::Members& members,
                                                  const OpenOptions& options, Clock& clock,
                                                  Random& random);
  virtual ~RunningSet() = default;

  // What front ends serve, and what is done to it beside. Live as long as the set.
  [[nodiscard]] virtual remap::Disk& disk() = 0;
  [[nodiscard]] virtual remap::Admin& admin() = 0;
  [[nodiscard]] virtual const std::string& name() const = 0;
  [[nodiscard]] virtual bool read_only() const = 0;
  [[nodiscard]] virtual Status status() const = 0;
  [[nodiscard]] virtual EventLog& events() = 0;

  // What main is known by in this run.
  [[nodiscard]] virtual discovery::RecordedMain recorded_main() const = 0;
  // The set is served there: a file, or the node of a device. It is never taken for main.
  virtual void add_own_device(const std::string& path) = 0;

  // Waits for the writes in flight. Errors: device_in_use, if one of them does not end.
  virtual Result<Moment> settle() = 0;

  // The clean stop records the copy, if until then nothing was written, and no sector that it lacks
  // became readable. Errors: read_only; copy_outdated, if that is so already.
  virtual Result<void> note_copy(CopyMade copy) = 0;

  // A front end lost data that a user had written: the stop fails with this error, and is not
  // recorded as clean. Before stop().
  virtual void note_unsaved(const Error& error) = 0;

  // Clean stop. No front end serves any more. Returns the first error, having done all the rest.
  // Afterwards only destruction, which lets go of the devices.
  virtual Result<void> stop() = 0;
};

}  // namespace dmremap::set
