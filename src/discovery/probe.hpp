// SPDX-License-Identifier: GPL-2.0-or-later
// libblkid's low-level probing of an open device.
#pragma once

#include <memory>
#include <string>

#include <blkid/blkid.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "io/file_device.hpp"

namespace dmremap::discovery {

// Not thread-safe; several at once are fine. The device outlives it.
//
// libblkid reads at any offset into any memory, which direct I/O refuses, so it gets a buffered
// descriptor of its own, without read-ahead: each sector of a failing disk that need not be read
// may cost a minute.
class Probe {
 public:
  static Result<Probe> open(const io::FileDevice& device);

  [[nodiscard]] blkid_probe get() const { return probe_.get(); }
  // A value of the last result, or empty.
  [[nodiscard]] std::string value(const char* name) const;

 private:
  struct Free {
    void operator()(blkid_probe probe) const { ::blkid_free_probe(probe); }
  };
  using Owned = std::unique_ptr<blkid_struct_probe, Free>;

  Probe(FileDescriptor fd, Owned probe) : fd_(std::move(fd)), probe_(std::move(probe)) {}

  FileDescriptor fd_;  // before probe_: freed after it
  Owned probe_;
};

}  // namespace dmremap::discovery
