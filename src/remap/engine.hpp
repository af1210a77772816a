// SPDX-License-Identifier: GPL-2.0-or-later
// The engine: a disk (disk.hpp) and what is done to it (admin.hpp) over main, the spares and the
// metadata.
//
// Requests run in the caller's thread, or are begun and finished by it. Clean regions cost one bit
// test and go straight to main; everything else is routed by an immutable snapshot of the table.
// One remapper thread changes the table: data on the spare, flush, commit, publish, acknowledge
// (promise 3).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/scheduling.hpp"
#include "base/units.hpp"
#include "format/content.hpp"
#include "io/block_device.hpp"
#include "metadata/store.hpp"
#include "remap/admin.hpp"
#include "remap/direct_path.hpp"
#include "remap/disk.hpp"
#include "remap/engine_memory.hpp"

namespace dmremap::remap {

// Told what happens; given the health section to fill before each commit, and the other records to
// take something along. Any thread; must not block on I/O and must not call the engine.
class Observer {
 public:
  virtual ~Observer() = default;
  // number and wall_ns are for the observer to fill.
  virtual void on_event(format::Event event) = 0;
  // These two are called by the remapper before each commit, in this order. What is changed in the
  // records is kept if the commit is; what the commit itself is about is put in afterwards.
  virtual void fill_health(format::Health& health) = 0;
  virtual void fill_records(format::Records& /*records*/) {}
};

// What reopening main came to, when the breaker wants to re-arm.
class MainReopener {
 public:
  virtual ~MainReopener() = default;
  // Finds main again by identity, never by path alone. The engine looks whether it holds what main
  // held (evidence_check.hpp), and either uses the returned device from then on (the old one stays
  // open until the engine ends), or calls refuse(). Error missing_device or no_such_device: not
  // back yet. Another error: a device is there that is not taken, and its message tells the user
  // why.
  virtual Result<io::BlockDevice*> reopen() = 0;
  // The engine does not take the device that reopen() has just returned, and has no more use for
  // it. It may be the one that main was all along, and have other contents now.
  virtual void refuse(io::BlockDevice& /*device*/) {}
};

// The same for one spare, while it is away. Its users keep the device they have: what that device
// is attached to is exchanged (io/attached_device.hpp).
class SpareReopener {
 public:
  // A device that was found, and that is held but not in use yet.
  struct Found {
    std::string path;
    metadata::CommitName last;  // the set's last commit when the device was compared with it
  };

  virtual ~SpareReopener() = default;
  // Finds the spare again, under any name, by what its metadata says: its newest commit is the
  // set's last one (metadata/returned_spare.hpp). May take long. Error missing_device: not back
  // yet, or it answers where it is. Another error: a device is there that is not taken, and its
  // message tells the user which and why.
  virtual Result<Found> find() = 0;
  // From now on the device of this spare is the one that find() has just returned. The caller sees
  // to it that no commit is under way, that none was made since, and that no flush runs.
  virtual void attach() = 0;
  // Lets go of all that is not in use: a device that find() returned and nobody attached, or the
  // one that was in use before.
  virtual void let_go() = 0;
};

// Lost sectors are about to be asked again, or were: both are called by the thread that asks them,
// which waits, so they may take some seconds.
class RecheckRounds {
 public:
  virtual ~RecheckRounds() = default;
  virtual void begin_round() = 0;
  virtual void end_round() = 0;
};

struct EngineParts {
  io::BlockDevice* main = nullptr;       // outlives the engine
  std::vector<io::BlockDevice*> spares;  // by index; outlive the engine. One, so far
  metadata::Store* store = nullptr;      // null: read-only, nothing is ever written anywhere
  Observer* observer = nullptr;
  MainReopener* reopener = nullptr;  // null: a tripped breaker stays tripped
  Clock* clock = nullptr;
  Scheduling* scheduling = &system_scheduling();
  bool watch_pauses = true;                 // false: `clock` is moved by hand (process_clock.hpp)
  std::uint32_t rearm_interval_ms = 2'000;  // how often a tripped breaker looks for main
  // Main was opened without the right to write: all that is written goes to the spare, for as long
  // as this engine runs. Else it goes there from the first write on that main refuses.
  bool main_read_only = false;
  // Of main's contents as they are now, durable: from the run before.
  std::vector<BlockHash> evidence;
  // Nothing that main shows now is in a volatile cache of it alone: the last stop was clean, or
  // main was not in use before. Else evidence is taken from the first good flush of a user on.
  bool main_settled = false;
  // How often evidence is renewed while main is written to and flushed; 0: never.
  std::uint32_t evidence_interval_ms = 1'000;
  // EngineMemory::bytes_for(main's size) bytes, aligned to 64, that outlive the engine and, if they
  // are mapped from a file, the process (engine_memory.hpp). Empty: memory of its own.
  std::span<std::byte> memory;
  // What an engine that was killed left to flush, if the users of this one are its users, who have
  // not noticed. Else they had errors, and begin anew.
  std::optional<UnflushedLeft> left;
  std::uint32_t spare_look_interval_ms = 2'000;  // how often a spare in trouble is looked at
  // By index, as `spares`; outlive the engine. Empty: a spare comes back as the device it was.
  std::vector<SpareReopener*> spare_reopeners;
  RecheckRounds* recheck_rounds = nullptr;  // outlives the engine; null: nobody wants to know
  // Who else sends requests to main, and who else wants to know of every table; outlive the engine.
  std::vector<const table::PinSource*> pin_sources;
  std::vector<table::TableSubscriber*> subscribers;
  // Main's other way; outlives the engine. Null: all requests come through this process.
  DirectPath* direct = nullptr;
};

// Thread-safe.
class Engine : public Disk, public Admin {
 public:
  // Starts the remapper. `content` is the acknowledged commit.
  static Result<std::unique_ptr<Engine>> start(const EngineParts& parts,
                                               const format::Content& content);
  virtual ~Engine() = default;  // stop() first

  // Ends the threads. No request may be in flight or come after; flush first.
  virtual void stop() = 0;
};

}  // namespace dmremap::remap
