// SPDX-License-Identifier: GPL-2.0-or-later
// Probes an open device with libblkid's low-level functions (libblkid's manual, "Low-level
// probing"): a file system, RAID member or partition table is recognised by what is read from the
// device.
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

// Not thread-safe. Several at once are fine if they end in reverse order. The device stays the
// caller's and outlives the probe.
//
// libblkid reads at any offset into any memory, which direct I/O refuses, so it reads through the
// page cache, without read-ahead: each sector of a failing disk that need not be read may cost a
// minute.
class Probe {
 public:
  // Errors: no_such_device, io: the device cannot be opened again; io: libblkid does not take it.
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
