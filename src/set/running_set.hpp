// SPDX-License-Identifier: GPL-2.0-or-later
// One running set, from open to stop. It owns the devices, the metadata store, the engine and the
// event log.
//
// Order of a start, each step leaving the set as it was until the activation commits:
//   hold both devices; survey the spare; refuse what is doubtful; compare main's identity and its
//   recorded print; activate (which clears the print); start the engine; only then serve.
// Order of a stop:
//   front ends first (the caller ends them); flush; record main's print and the file system UUID;
//   commit; let go of the devices.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "discovery/assembly.hpp"
#include "discovery/identity.hpp"
#include "discovery/run_memory.hpp"
#include "format/content.hpp"
#include "io/file_device.hpp"
#include "io/holding_node.hpp"
#include "metadata/store.hpp"
#include "metadata/survey.hpp"
#include "remap/engine.hpp"
#include "set/device_watch.hpp"
#include "set/disk_health.hpp"
#include "set/drive_timeouts.hpp"
#include "set/event_log.hpp"
#include "set/event_recorder.hpp"
#include "set/held_main.hpp"
#include "set/held_spare.hpp"
#include "set/main_watch.hpp"
#include "set/own_devices.hpp"
#include "set/scanner.hpp"
#include "set/spare_growth.hpp"
#include "set/status.hpp"
#include "table/table.hpp"

namespace dmremap::set {

struct Opening;  // set/opening.hpp

struct OpenOptions {
  bool read_only = false;  // serve what is there, write nothing anywhere
  bool stale_ok = false;   // with read_only: serve a doubtful or forked set too
  // Main is opened without the right to write, and all that is written goes to the spare.
  bool main_read_only = false;
  bool accept_main_changed = false;  // main's print or file system UUID differs from the recorded
  // The device that the user says is main, though what is recorded cannot prove it; empty if the
  // user did not say so. It is recorded, so that the user need say it only once.
  std::string accept_main;
  // The file in which a run keeps the evidence that the next start uses if this run is killed
  // (discovery/run_memory.hpp). Empty: none is kept.
  std::string memory_path;
  // Main's drive and the kernel are told how long to try a bad sector (set/drive_timeouts.hpp).
  bool set_drive_timeouts = false;
  // What a user chose since the last start for how long a boot waits; it is recorded. Empty: what
  // is recorded stays.
  std::optional<std::uint32_t> boot_wait_s;
  // Keeps what they were told before. Empty: nothing is put back after a run that was killed.
  std::string timeouts_path;
  // The users of the run before, which was killed, have not noticed, and are served on: what that
  // run had not flushed is this run's to flush.
  bool taken_over = false;
  // Holds main, which is read and written through it (io::OpenMode); outlives the set. Null: main
  // is held by itself.
  io::HoldingNode* main_holder = nullptr;
  // Nothing is read in the background, and the drive is not asked how it is, as in an initramfs,
  // which lacks the programs for it.
  bool quiet = false;
  // As of remap::EngineParts; outlives the set.
  remap::DirectPath* direct = nullptr;
  // Done once, by the thread that opens the set, before anything is served: while another thread
  // waits for the flushes of the activation, if there is one. It must not need the set.
  std::function<void()> meanwhile;
};

// The identity of a spare.
struct RecordedSpare {
  Uuid uuid;
  format::Fingerprint fingerprint;
  std::vector<format::Fact> facts;
};

// A moment of a run: until another write is counted, the set serves what it serves now.
struct Moment {
  Uuid run;                  // of this opening alone
  std::uint64_t writes = 0;  // that were counted, all of them done
};

// A verified copy of what the set serves, made while it ran.
struct VerifiedCopy {
  Moment since;                       // when the copying began
  std::vector<SectorRange> left_out;  // lost or gone then
};

// Thread-safe but for stop(), which is called once, last.
class RunningSet {
 public:
  // Errors: the refusals of `start`; io. Nothing was written then, unless the activation failed.
  static Result<std::unique_ptr<RunningSet>> open(const discovery::Members& members,
                                                  const OpenOptions& options, Clock& clock,
                                                  Random& random);
  // Without a stop() before, the set is left as a killed run leaves it.
  ~RunningSet();
  RunningSet(const RunningSet&) = delete;
  RunningSet& operator=(const RunningSet&) = delete;

  // The virtual device that front ends serve. Lives as long as the set.
  [[nodiscard]] remap::Disk& disk() { return *engine_; }
  // The engine's control side: counts, conditions and what a user asks for. Lives as long as the
  // set.
  [[nodiscard]] remap::Admin& admin() { return *engine_; }
  // How the disk has been doing; empty if nothing is known of it.
  [[nodiscard]] std::optional<health::History> disk_history() const;
  // What the reads of the scan took across the disk; empty if nothing is known of it.
  [[nodiscard]] std::optional<health::LatencyProfile> latency_profile() const;
  // Null of a set that was started read-only. Lives as long as the set.
  [[nodiscard]] Scanner* scanner() const { return scanner_.get(); }
  [[nodiscard]] const std::string& name() const { return content_.identity.name; }
  [[nodiscard]] bool read_only() const { return read_only_; }
  [[nodiscard]] Status status() const;
  // What status() says of the spares, but for their state, and without the work that all of it is.
  [[nodiscard]] std::vector<SpareStatus> spares() const;
  [[nodiscard]] EventLog& events() { return events_; }

  // The facts by which main is recognised in this run.
  [[nodiscard]] discovery::RecordedMain recorded_main() const { return main_.recorded(); }
  // How long a boot waits for a device of the set, seconds.
  [[nodiscard]] std::uint32_t boot_wait_s() const;
  // What spare 0 is recognised by, as the activation recorded it.
  [[nodiscard]] RecordedSpare recorded_spare() const;
  // Tells the set that it is served at `path`, a file or a device node: that is never taken for
  // main, nor for a spare.
  void add_own_device(const std::string& path) { own_.add(path); }

  // Waits for the writes in flight. Errors: device_in_use, if one of them does not end.
  Result<Moment> settle();

  // The clean stop records the copy, if until then nothing was written, and no sector that it lacks
  // became readable. Errors: read_only; copy_outdated, if that is so already.
  Result<void> note_copy(VerifiedCopy copy);

  // Takes over the room of a spare that became larger. `bytes`: makes its image that long first.
  // Errors: of lengthen_image() and size_to_grow_to(); read_only, metadata_full, metadata_commit.
  Result<SpareGrowth> grow_spare(std::optional<std::uint64_t> bytes);

  // Tells the set that a front end lost data that a user had written: stop() then fails with this
  // error, and is not recorded as clean. Call it before stop().
  void note_unsaved(const Error& error) { unsaved_ = error; }

  // Tells the set in words what of its exports does not work now; empty: all do.
  void note_export_trouble(std::string trouble);

  // Ends what is done in the background. May be called again.
  void end_background();
  // After that, and perhaps a record_clean() that failed: begins it again.
  void begin_background();
  // Flushes, and records what a clean stop records. The caller sees to it that nothing is written
  // from before this on. Errors as of stop().
  Result<void> record_clean();
  // Clean stop. No front end may serve the set any more. Goes through all steps even if one fails.
  // Of several errors it returns that of the flush, else that of note_unsaved(), else that of the
  // last commit. Afterwards only sectors_elsewhere() and destruction are allowed, which lets go of
  // the devices.
  Result<void> stop();
  // After a stop: the sectors whose newest data main does not have, as the last commit has them.
  [[nodiscard]] std::uint64_t sectors_elsewhere() const { return elsewhere_; }

 private:
  RunningSet(Opening opening, const OpenOptions& options, Clock& clock);
  // Activates the metadata and starts the engine. An error leaves a set that can be opened again.
  Result<void> begin(Random& random, const std::function<void()>& meanwhile);

  [[nodiscard]] HeldSpare& metadata_spare() const { return *spares_.front(); }
  [[nodiscard]] metadata::KnownCommits known_commits() const;
  void prepare_activation();
  Result<void> activate(Random& random, const std::function<void()>& meanwhile);
  void make_memory();
  [[nodiscard]] remap::UnflushedLeft left_by_killed_run() const;
  void make_scanner();
  void make_disk_health();

  void record_facts(format::Records& records) const;
  void update_recorded_main(const discovery::DeviceFacts& seen);
  Result<void> record_stop(bool flushed);
  [[nodiscard]] bool is_current(const VerifiedCopy& copy, const table::Table& table) const;
  [[nodiscard]] std::optional<SectorCount> sectors_lacking_in_copy(const table::Table& table);

  // Looks which file system main has, if that may have changed, and waits a second at most for a
  // moment in which nobody uses main. Called every few seconds, by one thread. `go_on`: as of
  // DiskHealth::Parts::before_look.
  void watch_main(const std::function<bool()>& go_on);
  bool look_at_main();

  format::Content content_;     // as activated, without the table; constant once begun
  Uuid run_;                    // constant once begun
  metadata::Survey survey_;     // as opened
  metadata::CopyCount copies_;  // as opened
  OwnDevices own_;
  HeldMain main_;
  std::vector<std::unique_ptr<HeldSpare>> spares_;  // by index
  EventLog events_;
  EventRecorder recorder_;
  const std::vector<remap::BlockHash> evidence_;  // as opened
  const std::string memory_path_;
  const bool taken_over_;
  std::optional<discovery::RunMemory> memory_;  // outlives the engine
  const bool main_accepted_;
  const bool main_changed_;
  const bool read_only_;
  const bool main_read_only_;
  const bool quiet_;
  const std::optional<std::uint32_t> boot_wait_s_;  // to be recorded
  remap::DirectPath* const direct_;
  Clock& clock_;
  std::unique_ptr<metadata::Store> store_;
  std::unique_ptr<DriveTimeouts> drive_timeouts_;  // outlives the engine; null: read-only
  std::unique_ptr<remap::Engine> engine_;
  std::unique_ptr<Scanner> scanner_;
  std::unique_ptr<DiskHealth> disk_health_;  // calls the scanner
  std::unique_ptr<DeviceWatch> device_watch_;
  bool stopped_ = false;
  std::uint64_t elsewhere_ = 0;
  std::optional<Error> unsaved_;

  mutable std::mutex export_mutex_;
  std::string export_trouble_;

  std::mutex growth_mutex_;  // held by the one that grows the spare

  std::mutex copy_mutex_;
  std::optional<VerifiedCopy> copy_;

  // Of watch_main().
  MainWatch main_watch_;
  Sha256 print_seen_{};
};

}  // namespace dmremap::set
