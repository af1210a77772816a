// SPDX-License-Identifier: GPL-2.0-or-later
// How the disk of a running set is doing: counts day by day what becomes of it, asks the drive once
// a day, and gives the verdict (docs/health-verdict.md). Health is judged in src/health; here is
// what gathers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "base/clock.hpp"
#include "base/periodic_thread.hpp"
#include "base/result.hpp"
#include "format/disk_history_section.hpp"
#include "health/history.hpp"
#include "remap/admin.hpp"
#include "set/drive_query.hpp"
#include "set/drive_timeouts.hpp"
#include "set/health_status.hpp"
#include "set/scanner_status.hpp"

namespace dmremap::set {

// What a stored history tells of a disk whose set does not run.
[[nodiscard]] HealthStatus health_of_stopped(const format::DiskHistorySection& stored,
                                             const remap::TableCounts& table,
                                             const format::Fingerprint& main);

// Thread-safe but for start() and stop().
class DiskHealth {
 public:
  // Asks the drive; see DriveQuery::ask().
  using Ask = std::function<DriveAnswer(const std::string& earlier_serial,
                                        const std::function<bool()>& wanted)>;
  struct Parts {
    remap::Admin* engine = nullptr;  // outlives this
    Clock* clock = nullptr;
    std::uint32_t sectors_per_block = 1;  // of main's physical block
    Ask ask;
    // Takes an answer that is believed, and may set the drive to something else. Empty: nobody
    // does.
    std::function<std::optional<DriveTimeouts::Report>(const DriveAnswer&)> on_answer{};
    // Places that the drive itself calls bad. Empty: nobody looks.
    std::function<void(std::span<const SectorRange>)> look_at{};
    std::function<ScannerStatus()> scanner{};            // empty: nobody scans
    std::optional<format::DiskHistorySection> stored{};  // of earlier runs
    // Commits it. Empty: nothing is remembered.
    std::function<Result<void>(const format::DiskHistorySection&)> remember{};
    // Called by the thread before each look, and asks whether that goes on wherever it waits. It
    // may take as long as main takes. Empty: nothing.
    std::function<void(const std::function<bool()>& go_on)> before_look{};
    // From the start of the set: whoever starts it has other things to do first.
    std::chrono::seconds first_ask{5};
    // Between two commits of its own that are made for news.
    std::chrono::seconds remember_every{60};
  };

  explicit DiskHealth(Parts parts);
  ~DiskHealth();
  DiskHealth(const DiskHealth&) = delete;
  DiskHealth& operator=(const DiskHealth&) = delete;

  // Starts the thread that looks every few seconds.
  void start();
  // Ends it, within a second whatever the drive does, unless `before_look` is under way. May be
  // called again.
  void stop();
  // After start() and stop(): goes on. A drive that was set to something is asked again at the next
  // look, for it has been set back meanwhile.
  void go_on();
  // One look, as the thread does it: what has happened since the last one, and the drive if it is
  // time to ask it.
  void look();

  // Up to this moment, like memory().
  [[nodiscard]] HealthStatus status();
  [[nodiscard]] health::History history() const;
  // What the next run is to know, up to this moment.
  [[nodiscard]] format::DiskHistorySection memory();
  // What a commit that is made anyway should take along, which then counts as remembered. Nothing:
  // nothing is new, the last time is not long ago, or somebody looks at it now: this does not wait,
  // and does not call the engine.
  [[nodiscard]] std::optional<format::DiskHistorySection> memory_for_commit();

 private:
  // While these stay, the forecasts do.
  struct ForecastBasis {
    std::uint32_t day = 0;
    std::uint64_t spare_used = 0;
    std::uint64_t entries = 0;

    bool operator==(const ForecastBasis&) const = default;
  };

  void count_and_ask();
  void count_what_happened();
  void note_levels();
  void note_scanner(const ScannerStatus& scanner);
  void make_forecasts();
  void ask_drive();
  void take_answer(const DriveAnswer& answer, const std::optional<DriveTimeouts::Report>& set_to,
                   bool main_went_away);
  void remember_at_times();
  [[nodiscard]] format::DiskHistorySection packed() const;

  const Parts parts_;

  mutable std::mutex mutex_;  // of all below; not held while the drive is asked or a commit is made
  health::History history_;
  remap::TroubleCounts counted_;
  std::uint64_t counted_at_ns_;
  std::uint64_t rest_ns_ = 0;  // of a second that the history has not been told of
  std::uint64_t clean_passes_ = 0;
  std::uint64_t answered_s_ = 0;
  std::string serial_;
  std::optional<std::uint64_t> asked_at_ns_;
  std::uint64_t trips_asked_ = 0;                // when it was asked last
  bool drive_is_set_ = false;                    // to something that it may forget
  std::optional<health::SmartReading> reading_;  // the last one that was believed
  std::uint64_t reading_at_ns_ = 0;
  SmartStatus smart_;
  std::optional<health::Forecast> spare_forecast_;
  std::optional<health::Forecast> table_forecast_;
  std::optional<ForecastBasis> forecast_basis_;
  const std::uint64_t began_ns_;
  std::uint64_t remembered_at_ns_;
  std::uint32_t clean_pass_day_ = 0;  // from 1; 0: none
  health::Medium medium_ = health::Medium::unknown;
  bool never_ask_ = false;
  bool news_ = false;                   // something was counted that is not remembered
  std::atomic<bool> stopping_ = false;  // without the mutex

  PeriodicThread thread_;
};

}  // namespace dmremap::set
