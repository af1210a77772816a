// SPDX-License-Identifier: GPL-2.0-or-later
// At boot the disks of a set appear when their drivers have found them, in any order.
#pragma once

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "claims/claim.hpp"
#include "discovery/hints.hpp"
#include "io/file_device.hpp"

namespace dmremap::cli {

// Tells of block devices that come.
class BlockDeviceNews;

// Waits for the devices of a claimed set and says on stderr, and to the service manager, what it
// waits for. While the spare is awaited main is held, so that nobody takes it who does not ask
// udev.
//
// The devices are read by a child process: one that hangs in a device must not keep the deadline
// from being noticed. Use it while the process has one thread, from one thread.
class DeviceWait {
 public:
  enum class AfterDeadline {
    fail,  // until_present() returns what is missing
    // It is said loudly, the mounts that wait for the set fail, the service manager is told that
    // the start is over, and the wait goes on.
    wait_on,
  };

  // The deadline counts from here: what the claim says until the spare is there, then what the
  // set's metadata says. Blocks the signals that end a daemon; they end the process while it waits.
  DeviceWait(claims::Claim claim, discovery::Hints hints, AfterDeadline after);
  ~DeviceWait();
  DeviceWait(const DeviceWait&) = delete;
  DeviceWait& operator=(const DeviceWait&) = delete;

  // Returns when the spare and its main are there, and at once for any other reason why the set
  // cannot be started: the start tells that. Error missing_device: not before the deadline.
  [[nodiscard]] Result<void> until_present();
  // A device was there and is gone again: the next wait says so.
  void lost(const Error& missing);

 private:
  struct Sighting;
  class Look;

  // Empty: a device hangs, the deadline has passed, and it is not waited on.
  [[nodiscard]] std::optional<Sighting> look();
  void check_time();
  void extend_start() const;
  void wait_as_recorded(std::chrono::seconds recorded);
  void announce(const std::string& text);
  void give_up();
  // `paths`: of main, several if it has several views.
  void hold_main(const std::vector<std::string>& paths);
  // `places`: what lay there at the last look.
  void pause(const std::string& places);
  [[nodiscard]] std::chrono::milliseconds left() const;

  claims::Claim claim_;
  discovery::Hints hints_;
  const AfterDeadline after_;
  const std::chrono::steady_clock::time_point began_;
  std::chrono::seconds patience_;
  sigset_t signals_;  // as they were blocked before
  // Made before the first look: what comes after it is heard.
  std::unique_ptr<BlockDeviceNews> news_;
  std::unique_ptr<io::FileDevice> main_;  // held
  std::optional<Error> missing_;          // as of the last look
  bool is_announced_ = false;
  bool is_over_ = false;  // the deadline has passed and was told
};

}  // namespace dmremap::cli
