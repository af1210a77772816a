// SPDX-License-Identifier: GPL-2.0-or-later
// The device that a running set serves, held for a copy.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "control/messages.hpp"
#include "io/file_device.hpp"
#include "transfer/copy_map.hpp"

namespace dmremap::cli {

class CopySource {
 public:
  // By the set's status. Unless nothing can write to it, a block device is held exclusively, and
  // nobody else has it or the file beneath it open: what such a one writes may be on its way
  // already. Errors: device_in_use; not_supported, if it is served over NBD alone.
  static Result<CopySource> open(const control::SetReport& status);

  [[nodiscard]] io::BlockDevice& device() { return *device_; }

 private:
  FileDescriptor hold_;
  std::unique_ptr<io::FileDevice> device_;
};

// Paths of its devices and exports.
[[nodiscard]] std::vector<std::string> parts_of(const control::SetReport& status);

}  // namespace dmremap::cli
