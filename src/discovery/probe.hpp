// SPDX-License-Identifier: GPL-2.0-or-later
// libblkid's low-level probing of an open device.
#pragma once

#include <memory>
#include <string>

#include <blkid/blkid.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "io/buffered_reading.hpp"
#include "io/file_device.hpp"

namespace dmremap::discovery {

// Who uses an open device while it is read for its facts.
enum class DeviceUse {
  alone,   // nobody else: its own descriptor is read through the page cache meanwhile
  shared,  // its descriptor is in use for direct I/O, and a second one is opened
};

// Not thread-safe; several at once are fine, ended in reverse order. The device outlives it.
//
// libblkid reads at any offset into any memory, which direct I/O refuses, so it reads through the
// page cache, without read-ahead: each sector of a failing disk that need not be read may cost a
// minute.
class Probe {
 public:
  static Result<Probe> open(const io::FileDevice& device, DeviceUse use = DeviceUse::shared);

  [[nodiscard]] blkid_probe get() const { return probe_.get(); }
  // A value of the last result, or empty.
  [[nodiscard]] std::string value(const char* name) const;

 private:
  struct ProbeDeleter {
    void operator()(blkid_probe probe) const { ::blkid_free_probe(probe); }
  };
  using ProbePointer = std::unique_ptr<blkid_struct_probe, ProbeDeleter>;

  Probe() = default;

  // One of these two; before probe_, so that they end after it.
  FileDescriptor fd_;
  std::unique_ptr<io::BufferedReading> buffered_;
  ProbePointer probe_;
};

}  // namespace dmremap::discovery
