// SPDX-License-Identifier: GPL-2.0-or-later
// The scanner of a running set: a thread that reads main through in the background, what and when
// as src/health decides (docs/health-scanning.md), through the engine, which takes care of what is
// found. At the begin of each pass it reads the copies of the metadata.
//
// - At most one read is in flight, and it stops at a request of others.
// - Nothing is read in the first minutes of a run, unless a user asks or has asked an earlier run:
//   a machine that has just started has other things to read. Nor anything at all in the initramfs.
// - What it costs others is measured where it runs, in pairs of windows with and without it
//   (felt_meter.hpp), and lowers the pace if it is felt; not at full speed, which a user asked for.
// - The thread's I/O has the lowest priority that is still served under load. Not the idle class: a
//   user's read of a bad sector may have to wait until the scanner has found out about it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "format/latency_section.hpp"
#include "format/layout.hpp"
#include "format/scan_section.hpp"
#include "health/felt_histogram.hpp"
#include "health/latency_profile.hpp"
#include "health/pace.hpp"
#include "health/scan_order.hpp"
#include "os/power.hpp"
#include "remap/admin.hpp"
#include "set/disk_load.hpp"
#include "set/felt_meter.hpp"
#include "set/kept_sections.hpp"
#include "set/scanner_status.hpp"

namespace dmremap::set {

// What a user asks of it. What is not given stays as it is.
struct ScanWish {
  bool now = false;                          // a pass at full speed
  std::optional<std::uint64_t> rate;         // bytes a second; 0: no limit
  std::optional<health::PaceWindow> window;  // of the day
};

// Thread-safe.
class Scanner {
 public:
  struct Parts {
    remap::Admin* engine = nullptr;  // outlives the scanner
    Clock* clock = nullptr;
    SectorCount size;                        // of main
    std::function<std::string()> main_path;  // thread-safe
    // Of earlier runs.
    std::optional<format::ScanSection> stored{};
    std::optional<format::LatencySection> stored_latency{};
    // Commits it. Empty: nothing is remembered. Thread-safe.
    std::function<Result<void>(const ScanMemory&)> remember{};
    std::chrono::seconds first_rest{600};  // from the start of the set
    Random* random = &system_random();
    std::function<bool()> on_battery = [] { return os::is_on_battery(os::power_supplies()); };
  };

  // Starts the thread.
  explicit Scanner(Parts parts);
  ~Scanner();
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;
  // Ends the thread, within one read. May be called again.
  void stop();
  // After stop(): goes on as if that had not been. Not called at the same time as that.
  void go_on();

  // These are remembered before they return. Errors: those of the commit; it is done all the same.
  // A pass begins, or the one that runs goes on, at once. Ends a pause. Asked for until the pass is
  // over, by later runs too, or until end().
  Result<void> start(const ScanWish& wish);
  Result<void> pause();
  Result<void> resume();
  // Nothing is scanned until start(), or until the set is started again.
  Result<void> end();
  // Places of main that the drive itself calls bad: they are read soon, once in a pass.
  void look_at(std::span<const SectorRange> places);
  // A copy of the set is being made, and reads all of it anyway; or it is done. One that is never
  // said to be done ends when nothing is read for a minute, and after a day.
  void note_copy(bool running);

  // What others ask of the disk that main lies on. Nothing: a read of the scan is under way, and
  // theirs cannot be told from it.
  [[nodiscard]] std::optional<health::Foreground> others();

  [[nodiscard]] ScannerStatus status() const;
  // Of the reads of this run and of earlier ones.
  [[nodiscard]] health::LatencyProfile latency_profile() const;
  // What the next run is to know.
  [[nodiscard]] ScanMemory memory() const;
  // What a commit that is made anyway should take along, which then counts as remembered. Nothing:
  // nothing is new, it is not long ago, or the scanner is busy: this does not wait.
  [[nodiscard]] std::optional<ScanMemory> memory_for_commit();

 private:
  using Lock = std::unique_lock<std::mutex>;

  // What start() was asked for, in this run or in an earlier one.
  void take_up(health::PassWish wish);
  void loop();
  [[nodiscard]] ScanMemory memory_locked() const;
  Result<void> remember();
  void note_remembered(std::uint64_t now_ns);
  // In the status: those that are over.
  void tell_passes();
  // What was read: at the end of a pass, else at most once a minute.
  void remember_at_times(Lock& lock);
  // One look, and one read if it is time; returns how long to wait.
  std::uint64_t step(Lock& lock);
  // How long nothing is to be read whatever others do; nothing: there is something to read.
  [[nodiscard]] std::optional<std::uint64_t> rest_ns(std::uint64_t now_ns);
  // Whether the window of a measurement that runs, or none, lets the scanner read.
  bool is_let(std::uint64_t now_ns, health::PaceHold held);
  std::uint64_t read(Lock& lock, const health::ScanPiece& piece, std::uint64_t now_ns);
  // What a read took that was carried through.
  void note_latency(SectorRange read, const remap::ScanReport& report, std::uint64_t took_ns);
  // Of the piece that was read.
  void finish_piece(health::ScanResult result);
  // Of what took long; the piece is finished then.
  std::uint64_t measure(Lock& lock);
  // One copy of the metadata, and after the last one what was found damaged is mended.
  std::uint64_t check_metadata(Lock& lock);
  // True while copies are left to be read in the pass that runs.
  bool metadata_is_due();
  // When the next read may be; 0: now.
  std::uint64_t wait_ns(std::uint64_t now_ns, health::PaceHold held, SectorCount& most);
  [[nodiscard]] health::PaceHold hold(std::uint64_t now_ns);
  // As it was a moment ago.
  [[nodiscard]] bool is_on_battery(std::uint64_t now_ns);
  void set_state(const char* state, std::string waits_for = {});

  const Parts parts_;
  std::atomic<bool> stopping_ = false;
  std::mutex remembering_;    // one commit at a time; taken before the other
  mutable std::mutex mutex_;  // of all below; not held during a read
  std::condition_variable wake_;
  bool changed_ = false;
  bool paused_ = false;
  bool ended_ = false;
  bool asked_for_ = false;  // the pass that runs, by a user
  bool at_full_speed_ = false;
  bool read_unremembered_ = false;
  std::uint64_t remembered_at_ns_ = 0;
  std::uint64_t passes_remembered_ = 0;
  std::uint64_t rest_until_ns_;
  bool on_battery_ = false;
  std::uint64_t power_look_ns_ = 0;  // when it is looked at again
  std::uint64_t copy_seen_ns_ = 0;   // 0: none is made
  std::uint64_t copy_began_ns_ = 0;
  std::uint64_t copy_reads_ = 0;
  health::PacePolicy policy_;
  health::ScanOrder order_;
  health::Pace pace_;
  DiskLoad load_;
  FeltMeter felt_;
  std::uint64_t next_read_ns_ = 0;       // at full speed, by the rate
  std::uint64_t usual_read_ns_ = 0;      // a mean of the last reads
  std::vector<SectorRange> to_measure_;  // of the piece that is not finished
  std::uint64_t measure_at_ns_ = 0;
  health::FeltHistogram latencies_;  // of reads of the usual length
  health::LatencyProfile latency_profile_;
  std::optional<std::uint64_t> metadata_pass_;  // the last one that came to the metadata
  unsigned next_copy_ = format::kCopies;        // to be read in it
  ScannerStatus status_;
  std::thread thread_;
};

}  // namespace dmremap::set
