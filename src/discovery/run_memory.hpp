// SPDX-License-Identifier: GPL-2.0-or-later
// The engine's memory (remap/engine_memory.hpp) in a file of the runtime directory, so that it
// outlives a process that is killed: the next start learns from it which blocks of main must still
// be as they were left, and one that takes over the killed one's device what that had not flushed.
// It does not outlive the machine: the directory is a tmpfs, and a file of another boot counts for
// nothing.
//
//   at        bytes  what
//   0         8      "DMRMRUN\0"
//   8         4      version, 1
//   12        4      CRC32C of these 4096 bytes, with zeros here
//   16        16     UUID of the set
//   32        16     boot id
//   48        8      term of the activation of the run
//   56        8      size of main, sectors
//   64        4032   zeros
//   4096      ...    EngineMemory::bytes_for(size of main)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "base/uuid.hpp"
#include "remap/engine_memory.hpp"
#include "remap/evidence/evidence_check.hpp"

namespace dmremap::discovery {

// Identifies the run of a set.
struct RunName {
  Uuid set_uuid;
  Uuid boot;               // of the machine: boot_id()
  std::uint64_t term = 0;  // of the activation; another run of the set has another one
  SectorCount main_size;
};

// True if files in the directory of `path` live in memory alone (tmpfs), as those in /run do. In a
// file on a disk every page would fault again after it was written back, on the I/O path, and might
// wait for that disk (promise 11).
[[nodiscard]] bool lies_in_memory(const std::string& path);

// The id of the present boot, from /proc; nil if it cannot be read.
[[nodiscard]] Uuid boot_id();

// The evidence that a killed run left. Main matches it unless something else has written to main
// since, which is what the comparison is to show. It comes from the last run of the set only if
// `term` is that of the latest commit.
struct KilledRun {
  std::uint64_t term = 0;
  std::vector<remap::BlockHash> evidence;
  remap::UnflushedLeft unflushed;
};

// Returns nothing if the bytes are not from a run of this set over a main of this size in this
// boot. The term of `name` does not matter. Pure, and accepts any bytes.
[[nodiscard]] std::optional<KilledRun> parse_run_memory(std::span<const std::byte> file,
                                                        const RunName& name);
// The same for a file. Returns nothing also if the file does not exist, cannot be read, is a
// symbolic link, or is not owned by this user with mode 0600.
[[nodiscard]] std::optional<KilledRun> read_run_memory(const std::string& path,
                                                       const RunName& name);

// Not thread-safe, but for what the engine does with memory().
class RunMemory {
 public:
  // Makes the file anew beside `path`, under another name until publish(): whatever a former run
  // left stays to be read. All of its room is allocated. Errors: io, no_space, permission.
  static Result<RunMemory> make(const std::string& path, const RunName& name);
  RunMemory(RunMemory&& other) noexcept;
  RunMemory& operator=(RunMemory&&) = delete;
  ~RunMemory();  // unmaps; the file stays

  // For EngineParts::memory. Valid as long as this object.
  [[nodiscard]] std::span<std::byte> memory() const;

  // Gives the file its name. Call when the engine has begun, and so entered the evidence it was
  // given, and before anything is served: a write that a former run's file does not know of would
  // make the right main look changed. A crash before it leaves that file.
  Result<void> publish();
  // After a clean stop the metadata says all; the file goes.
  void remove();

 private:
  RunMemory(std::string path, std::span<std::byte> file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  std::span<std::byte> file_;  // mapped
};

}  // namespace dmremap::discovery
