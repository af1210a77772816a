// SPDX-License-Identifier: GPL-2.0-or-later
// Main while a set runs: held exclusively, found again by identity after it vanished.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "format/content.hpp"
#include "io/file_device.hpp"
#include "remap/engine.hpp"

namespace dmremap::set {

// Opens and holds main as a set does. Error device_mounted instead of device_in_use where it is.
Result<std::unique_ptr<io::FileDevice>> hold_main(const std::string& path, io::Access access);

// What is known of a device now over what was known: an attribute that cannot be learnt today keeps
// its old value. The size is the recorded one.
[[nodiscard]] format::Fingerprint merged(const format::Fingerprint& recorded,
                                         const format::Fingerprint& seen);

// Thread-safe.
class HeldMain final : public remap::MainReopener {
 public:
  HeldMain(std::unique_ptr<io::FileDevice> device, io::Access access,
           format::Fingerprint fingerprint);

  // Valid as long as this object, also after a reopen.
  [[nodiscard]] io::FileDevice& device() const;
  [[nodiscard]] format::Fingerprint fingerprint() const;
  void set_fingerprint(format::Fingerprint fingerprint);

  Result<io::BlockDevice*> reopen() override;

 private:
  // Answers, has the same geometry, and something that only main has.
  [[nodiscard]] bool is_main(io::FileDevice& device) const;

  const io::Access access_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<io::FileDevice>> opened_;  // the last one is in use
  format::Fingerprint fingerprint_;
};

}  // namespace dmremap::set
