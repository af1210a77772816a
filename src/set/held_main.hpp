// SPDX-License-Identifier: GPL-2.0-or-later
// Main while a set runs: held exclusively, found again by identity after it vanished.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "discovery/identity.hpp"
#include "format/content.hpp"
#include "io/file_device.hpp"
#include "io/holding_node.hpp"
#include "remap/engine.hpp"
#include "set/own_devices.hpp"

namespace dmremap::set {

// Opens main and holds it exclusively, as a set does. If main is in use because it is mounted, the
// error is device_mounted instead of device_in_use.
// `through`: as of io::OpenMode.
Result<std::unique_ptr<io::FileDevice>> hold_main(const std::string& path, io::Access access,
                                                  const std::string& through = {});

// The recorded fingerprint of a device, updated by what was seen of it now. An attribute that
// cannot be learnt now keeps its recorded value; size and logical block are always the recorded
// ones.
[[nodiscard]] format::Fingerprint merged(const format::Fingerprint& recorded,
                                         const format::Fingerprint& seen);

// Thread-safe.
class HeldMain final : public remap::MainReopener {
 public:
  // `recorded`: the facts by which main is recognised in this run, those of today included. `own`
  // outlives this: what lies there is never main, and is not opened when main is looked for.
  // `holder`: through which `device` was opened; outlives this; null: by itself.
  HeldMain(std::unique_ptr<io::FileDevice> device, io::Access access,
           discovery::RecordedMain recorded, const OwnDevices& own,
           io::HoldingNode* holder = nullptr);

  // The device in use. It stays open as long as the caller holds the pointer.
  [[nodiscard]] std::shared_ptr<io::FileDevice> device() const;
  [[nodiscard]] discovery::RecordedMain recorded() const;
  [[nodiscard]] format::Fingerprint fingerprint() const { return recorded().fingerprint; }
  void set_recorded(discovery::RecordedMain recorded);

  // Finds main by its identity, under any node: it has the same attachment, or a decisive fact that
  // is equal and none that is unequal (discovery/identity.hpp). A user's consent of earlier does
  // not count here, because acknowledged writes are at stake. Errors: missing_device, if nothing
  // like main is there; main_unproven or wrong_main, if a device was not taken, with the reason.
  // No request of the engine's is under way.
  Result<io::BlockDevice*> reopen() override;
  // Closes a device that reopen() has found. The device that was main all along stays open instead,
  // and from then on reopen() looks for another one first.
  void refuse(io::BlockDevice& device) override;

 private:
  // Checks that the device is main and responds, and that it can be served as main was. The error
  // says why not.
  [[nodiscard]] Result<void> check(io::FileDevice& device,
                                   const discovery::SharedFacts& shared) const;
  Result<io::BlockDevice*> find_again(const io::FileDevice& old);
  Result<std::unique_ptr<io::FileDevice>> hold_again(const std::string& path,
                                                     const discovery::SharedFacts& shared) const;

  [[nodiscard]] Result<void> serve_as_before(io::FileDevice& device) const;
  // By the holder, which has held main where it was.
  Result<std::unique_ptr<io::FileDevice>> hold_through(const std::string& path,
                                                       const discovery::SharedFacts& shared) const;

  const io::Access access_;
  const OwnDevices& own_;
  io::HoldingNode* const holder_;
  const io::Geometry geometry_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<io::FileDevice>> opened_;  // the last one is in use
  discovery::RecordedMain recorded_;
  const io::BlockDevice* candidate_ = nullptr;  // opened by the last reopen(), and not refused
  const io::BlockDevice* refused_ = nullptr;    // in use, and did not hold what main held
};

}  // namespace dmremap::set
