// SPDX-License-Identifier: GPL-2.0-or-later
// Reads: what was last written, or an error (promise 1).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "remap/request/retries.hpp"

namespace dmremap::remap {

class ReadPath {
 public:
  ReadPath(DataPath& path, Retries& retries) : path_(path), retries_(retries) {}

  // Requires a range of whole units inside main.
  io::IoStatus read(Sector first, std::span<std::byte> out);
  // As Engine's. What is too long to be read by a retry's thread is waited for.
  std::optional<io::IoStatus> read_or_later(Sector first, std::span<std::byte> out,
                                            const Disk::Later& later, RequestTimer* timer);
  // A read of main that somebody else issued and that failed with `error`; the caller's pin is
  // released. Answers as read_or_later does.
  std::optional<io::IoStatus> take_failed(SectorRange range, std::span<std::byte> out, int error,
                                          std::uint64_t deadline_of_request,
                                          const Disk::Later& later, RequestTimer* timer);

 private:
  struct ReadAttempt {
    io::IoStatus status;
    bool watched = false;  // another thread reads its bad sectors: nothing was read
  };
  ReadAttempt try_once(SectorRange range, std::span<std::byte> out,
                       std::vector<UnreadPart>& unread);
  // Where not all of the region is good.
  ReadAttempt try_among_bad(table::Pins::Pin& pin, SectorRange range, std::span<std::byte> out,
                            std::vector<UnreadPart>& unread);
  // What fails for its sectors' sake goes to `unread`; anything else is the outcome.
  io::IoStatus read_stretches(const table::Table& table, SectorRange range,
                              std::span<std::byte> out, std::vector<UnreadPart>& unread);
  io::IoStatus read_main(SectorRange range, std::span<std::byte> out,
                         std::vector<UnreadPart>& unread);
  io::IoStatus read_spare(SectorRange range, SpareAddress spare, std::span<std::byte> out,
                          std::vector<UnreadPart>& unread);

  DataPath& path_;
  Retries& retries_;
};

}  // namespace dmremap::remap
