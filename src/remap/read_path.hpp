// SPDX-License-Identifier: GPL-2.0-or-later
// Reads: what was last written, or an error (promise 1).
#pragma once

#include <span>
#include <vector>

#include "remap/retries.hpp"

namespace dmremap::remap {

class ReadPath {
 public:
  ReadPath(DataPath& path, Retries& retries) : path_(path), retries_(retries) {}

  // Requires a range of whole units inside main.
  io::IoStatus read(Sector first, std::span<std::byte> out);

 private:
  // What fails for its sectors' sake goes to `unread`; anything else is the outcome.
  io::IoStatus attempt(const Table& table, SectorRange range, std::span<std::byte> out,
                       std::vector<Unread>& unread);
  io::IoStatus read_main(SectorRange range, std::span<std::byte> out, std::vector<Unread>& unread);
  io::IoStatus read_spare(SectorRange range, Sector spare, std::span<std::byte> out,
                          std::vector<Unread>& unread);

  DataPath& path_;
  Retries& retries_;
};

}  // namespace dmremap::remap
