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
#include "remap/engine.hpp"

namespace dmremap::set {

// Opens and holds main as a set does. Error device_mounted instead of device_in_use where it is.
Result<std::unique_ptr<io::FileDevice>> hold_main(const std::string& path, io::Access access);

// What is known of a device now over what was known: an attribute that cannot be learnt today keeps
// its old value. Size and logical block are the recorded ones.
[[nodiscard]] format::Fingerprint merged(const format::Fingerprint& recorded,
                                         const format::Fingerprint& seen);

// Thread-safe.
class HeldMain final : public remap::MainReopener {
 public:
  // `recorded`: what main is known by in this run, its facts of today included.
  HeldMain(std::unique_ptr<io::FileDevice> device, io::Access access,
           discovery::RecordedMain recorded);

  // The one in use; it stays open as long as the caller has it.
  [[nodiscard]] std::shared_ptr<io::FileDevice> device() const;
  [[nodiscard]] discovery::RecordedMain recorded() const;
  [[nodiscard]] format::Fingerprint fingerprint() const { return recorded().fingerprint; }
  void set_recorded(discovery::RecordedMain recorded);
  // What is served of the set: a file, or a device node. It is never main, nor what lies on it, and
  // is not even looked at when main is looked for, for a look would wait for ourselves.
  void add_own_device(const std::string& path);

  // Main by what it is, under any node: the same attachment, or a decisive fact that is equal and
  // none that is not. A user's word of earlier does not count here, for what is at stake is what
  // was acknowledged. Errors: missing_device: nothing like it is there; main_unproven, wrong_main:
  // a device is, and why it was not taken.
  Result<io::BlockDevice*> reopen() override;
  // Lets go of it. The one that was main all along stays open: from then on others are looked at
  // first.
  void refuse(io::BlockDevice& device) override;

 private:
  // Whether it is main, answers, and can be served as main was. The error says why not.
  [[nodiscard]] Result<void> check(io::FileDevice& device,
                                   const discovery::SharedFacts& shared) const;
  [[nodiscard]] bool is_own(const std::string& path) const;
  Result<io::BlockDevice*> find_again(const io::FileDevice& old);
  Result<std::unique_ptr<io::FileDevice>> hold_again(const std::string& path,
                                                     const discovery::SharedFacts& shared) const;

  const io::Access access_;
  const io::Geometry geometry_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<io::FileDevice>> opened_;  // the last one is in use
  discovery::RecordedMain recorded_;
  std::vector<std::string> own_;                // paths
  const io::BlockDevice* candidate_ = nullptr;  // opened by the last reopen(), and not refused
  const io::BlockDevice* refused_ = nullptr;    // in use, and did not hold what main held
};

}  // namespace dmremap::set
