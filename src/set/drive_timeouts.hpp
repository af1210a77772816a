// SPDX-License-Identifier: GPL-2.0-or-later
// Sets how long main's drive tries a bad sector (SCT ERC) and how long the kernel waits for it, if
// the user asked for that: bounded for users' reads, lifted while lost sectors are asked again.
// What was set before is kept in a file in the runtime directory and put back at the stop; if the
// run is killed, the next start finds the file and puts it back, or goes on from it. Drive and
// kernel forget both at a power cycle, as they forget the file.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "health/recovery_times.hpp"
#include "remap/engine.hpp"
#include "set/drive_query.hpp"

namespace dmremap::set {

// Thread-safe.
class DriveTimeouts final : public remap::RecheckRounds {
 public:
  struct Parts {
    bool wanted = false;            // else only what a killed run left is put back
    std::string file;               // keeps what was set before; empty: there is no such place
    std::uint32_t deadline_ms = 0;  // of a request
    std::uint32_t tries = 1;        // of one sector in a request
    // Runs smartctl with these words after its name. Not empty.
    std::function<Result<void>(const std::vector<std::string>& words)> smartctl = run_smartctl;
  };

  explicit DriveTimeouts(Parts parts) : parts_(std::move(parts)) {}

  // Takes an answer of the drive that is believed, and sets what it should be set to. Returns what
  // is set then, with a text that says so; empty: nothing is set by this.
  struct Report {
    health::RecoveryTimes times;
    std::string text;
  };
  [[nodiscard]] std::optional<Report> take(const DriveAnswer& answer);

  void begin_round() override;
  void end_round() override;

  // Puts back what was set before. May be called again; take() does nothing any more.
  void restore();
  // After restore(): take() sets again what it should.
  void go_on();

  // The real one, for ten seconds at most.
  static Result<void> run_smartctl(const std::vector<std::string>& words);

 private:
  struct Drive {
    std::string node;
    std::string timeout_file;  // of the kernel
    std::string serial;
  };

  [[nodiscard]] bool set(const health::RecoveryTimes& times);
  [[nodiscard]] std::optional<health::RecoveryTimes> kept_for(const std::string& serial) const;
  [[nodiscard]] bool keep(const health::RecoveryTimes& former) const;
  void put_back();

  const Parts parts_;
  std::mutex mutex_;  // of all below; held while smartctl runs
  std::optional<Drive> drive_;
  std::optional<health::RecoveryTimes> former_;  // of the drive; empty: nothing was changed
  health::RecoveryTimes now_;                    // what is set
  bool ended_ = false;
};

}  // namespace dmremap::set
