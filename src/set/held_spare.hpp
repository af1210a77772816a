// SPDX-License-Identifier: GPL-2.0-or-later
// A spare while a set runs: held exclusively, and found again by its metadata after it vanished,
// under whatever name it comes back.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "discovery/candidates.hpp"
#include "discovery/device_look.hpp"
#include "io/attached_device.hpp"
#include "io/file_device.hpp"
#include "metadata/returned_spare.hpp"
#include "remap/engine.hpp"
#include "set/held_main.hpp"
#include "set/own_devices.hpp"

namespace dmremap::set {

// Thread-safe, but find(), attach() and let_go() are for one caller, one after another.
class HeldSpare final : public remap::SpareReopener {
 public:
  struct Parts {
    std::unique_ptr<io::FileDevice> device;  // held exclusively
    io::Access access = io::Access::read_write;
    metadata::SpareRecord record;  // but for the block size, which is that of `device`
    std::function<metadata::KnownCommits()> known_commits;  // called by find()
    const HeldMain* main = nullptr;                         // outlives this
    const OwnDevices* own = nullptr;                        // outlives this
    // Where a spare may lie, beside the path where it was.
    std::function<std::vector<std::string>()> devices = [] { return discovery::block_devices(); };
  };
  explicit HeldSpare(Parts parts);

  // The door for all who read and write the spare: it stays the same when the spare comes back as
  // another device.
  [[nodiscard]] io::BlockDevice& door() { return door_; }
  // The device in use. It stays open as long as the caller holds the pointer.
  [[nodiscard]] std::shared_ptr<io::FileDevice> device() const;

  // Serves what came to the device behind its end since it was opened, and returns its size now.
  // Whether the set uses it is for the metadata to say.
  Result<SectorCount> take_growth();

  // Looks at the path where the spare was and at every block device that is large enough. Main, the
  // set's own device, and what lies over or under one of them are left alone. A device that was
  // seen to hold something else is not read again while it stays attached, so that no sleeping disk
  // is woken twice. If two devices qualify, neither is taken: one is
  // a copy, and nothing tells which. A spare that answers again where it was is not looked for.
  Result<Found> find() override;
  void attach() override;
  void let_go() override;

 private:
  [[nodiscard]] std::vector<std::string> places_to_look() const;
  [[nodiscard]] bool is_stranger(const discovery::DeviceInstance& instance) const;
  // Why the device is not taken, or nothing if it is the spare.
  Result<void> check(io::FileDevice& device, const metadata::KnownCommits& commits) const;
  Result<void> hold(const discovery::CandidateFacts& seen, const metadata::KnownCommits& commits);

  const io::Access access_;
  const metadata::SpareRecord record_;
  const std::function<metadata::KnownCommits()> known_commits_;
  const HeldMain& main_;
  const OwnDevices& own_;
  const std::function<std::vector<std::string>()> devices_;
  mutable std::mutex mutex_;  // guards held_, and that door_ has its geometry
  std::shared_ptr<io::FileDevice> held_;
  io::AttachedDevice door_;

  // These are the caller's of find().
  std::optional<discovery::DeviceInstance> instance_;  // of held_
  std::shared_ptr<io::FileDevice> found_;              // held, and not attached yet
  std::shared_ptr<io::FileDevice> former_;             // was attached
  std::vector<discovery::DeviceInstance> strangers_;
};

}  // namespace dmremap::set
