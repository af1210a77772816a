// SPDX-License-Identifier: GPL-2.0-or-later
// Reads: what was last written, or an error (promise 1).
#pragma once

#include <span>

#include "remap/recovery.hpp"

namespace dmremap::remap {

class ReadPath {
 public:
  ReadPath(DataPath& path, Recovery& recovery) : path_(path), recovery_(recovery) {}

  // Requires a range of whole units inside main.
  io::IoStatus read(Sector first, std::span<std::byte> out);

 private:
  io::IoStatus attempt(SectorRange range, std::span<std::byte> out, std::uint64_t deadline_ns,
                       std::vector<Unread>& unread);
  io::IoStatus read_stretch(const Stretch& stretch, std::span<std::byte> out,
                            std::uint64_t deadline_ns, std::vector<Unread>& unread);
  io::IoStatus narrow_main(SectorRange range, std::span<std::byte> out, int error,
                           std::uint64_t deadline_ns, std::vector<Unread>& unread);

  DataPath& path_;
  Recovery& recovery_;
};

}  // namespace dmremap::remap
