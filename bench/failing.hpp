// SPDX-License-Identifier: GPL-2.0-or-later
// A device that fails on command, and a burst of writes that meets it.
#pragma once

#include <atomic>
#include <cerrno>
#include <vector>

#include "io/block_device.hpp"
#include "remap/engine.hpp"

namespace dmremap::bench {

// Refuses every write from `bad` on with ENODATA, at once: what a drive takes to refuse is not part
// of what is measured. Everything else goes to the device below.
class Failing final : public io::BlockDevice {
 public:
  Failing(io::BlockDevice& below, Sector bad)
      : BlockDevice(below.path(), below.geometry()), below_(below), bad_(bad) {}

 private:
  io::IoStatus do_read(Sector first, std::span<std::byte> out) override {
    return below_.read(first, out);
  }
  io::IoStatus do_write(Sector first, std::span<const std::byte> data) override {
    if (first >= bad_) return {ENODATA};
    return below_.write(first, data);
  }
  io::IoStatus do_flush() override { return below_.flush(); }
  io::IoStatus do_write_zeroes(SectorRange range) override { return below_.write_zeroes(range); }
  io::IoStatus do_discard(SectorRange range) override { return below_.discard(range); }

  io::BlockDevice& below_;
  Sector bad_;
};

// Writes `count` blocks of 4 KiB at once, each from its own thread up to 32 of them, `step` apart
// from `first` on. Seconds from the start of each write to its acknowledgement. Throws
// std::runtime_error if one fails.
[[nodiscard]] std::vector<double> burst(remap::Engine& engine, Sector first, SectorCount step,
                                        unsigned count);

}  // namespace dmremap::bench
