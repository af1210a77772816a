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

// The device of a running set, opened to be copied while nothing writes to it.
class CopySource {
 public:
  // Opens the export that the status of the set names. Unless the set is read-only, a block device
  // is held exclusively, and no other program may have it or the file beneath it open, because its
  // writes may be on their way already. Errors: device_in_use; not_supported, if the set is served
  // over NBD alone.
  static Result<CopySource> open(const control::SetReport& status);

  [[nodiscard]] io::BlockDevice& device() { return *device_; }

 private:
  FileDescriptor hold_;
  std::unique_ptr<io::FileDevice> device_;
};

// Paths of its devices and exports.
[[nodiscard]] std::vector<std::string> parts_of(const control::SetReport& status);

}  // namespace dmremap::cli
