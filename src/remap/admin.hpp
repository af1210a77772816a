// SPDX-License-Identifier: GPL-2.0-or-later
// The engine's face to whoever runs a set: what can be asked of it and done to it beside serving
// requests.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "format/content.hpp"
#include "remap/device/failing_places.hpp"
#include "remap/evidence/evidence_check.hpp"
#include "table/known_bad.hpp"
#include "table/table.hpp"

namespace dmremap::remap {

struct EngineCounts {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;  // discards and zeroes, too
  std::uint64_t flushes = 0;
  std::uint64_t remapped_reads = 0;  // requests of which a part was served by the spare
  std::uint64_t remapped_writes = 0;
  std::uint64_t main_read_errors = 0;
  std::uint64_t main_write_errors = 0;
};

// What became of main since the engine began, for whoever judges how the disk is doing: only what
// the disk itself is the cause of, neither what a user or a list asked for, nor what had to move
// because main takes no writes at all. Sectors, unless said otherwise.
struct TroubleCounts {
  std::uint64_t lost = 0;          // became lost or gone, because main did not give the data back
  std::uint64_t remapped = 0;      // moved to the spare, because main failed
  std::uint64_t recovered = 0;     // reads that succeeded only when they were repeated
  std::uint64_t slow = 0;          // found far slower than their neighbours
  std::uint64_t flush_errors = 0;  // flushes that failed on a main that is there
  std::uint64_t trips = 0;         // times that the breaker tripped

  bool operator==(const TroubleCounts&) const = default;
};

// A read or write of a user: when it arrived, and how long it took.
struct LatencySample {
  std::uint64_t begun_ns = 0;  // monotonic
  std::uint64_t latency_ns = 0;
};

struct TableCounts {  // sectors, but for the extents and entries
  std::uint64_t remapped = 0;
  std::uint64_t lost = 0;
  std::uint64_t gone = 0;
  std::uint64_t suspect = 0;
  std::uint64_t failing = 0;  // of the remapped ones: they do not read, and are asked again
  std::uint64_t extents = 0;
  std::uint64_t entries = 0;         // of the table in the metadata: extents and retired runs
  std::uint64_t entry_capacity = 0;  // how many fit a metadata slot
  std::uint64_t spare_size = 0;      // that is in use, with the copies of the metadata
  std::uint64_t spare_capacity = 0;
  std::uint64_t spare_free = 0;
  std::uint64_t spare_retired = 0;
};

// How the spare answers, as far as the last sign of trouble was followed up.
enum class SpareState : std::uint8_t {
  answers,  // no trouble is known
  away,     // no request gets through: unplugged, or a controller or cable failed
  refuses,  // it reads, but takes no writes: EIO everywhere, ENOSPC below a sparse image, read-only
};

// What the two devices show without any request to their media (docs/fault-model.md): whether they
// are there, their size, whether the kernel takes writes. The texts are for people, and empty where
// nothing is to be said.
struct DeviceNews {
  std::string main_absence;     // why main is known not to be there
  std::string main_resize;      // how main's size differs from the one it was opened with
  bool main_shrank = false;     // ... and the end of main is missing
  bool main_read_only = false;  // the kernel refuses writes to main
  std::string spare_absence;
  std::string spare_resize;
  bool spare_shrank = false;
  bool spare_read_only = false;

  bool operator==(const DeviceNews&) const = default;
};

struct Conditions {
  bool read_only = false;  // metadata cannot be committed any more, or opened so
  std::string read_only_reason;
  bool tripped = false;
  std::string trip_reason;
  int trip_error = 0;  // the errno that tripped the breaker; 0: none did, or it is not tripped
  bool main_read_only = false;  // main takes no writes, and reads
  SpareState spare = SpareState::answers;
  std::string spare_reason;  // empty while it answers
  DeviceNews devices;        // as last told by note_devices()
  bool spare_full = false;
  bool spare_low = false;
  bool table_full = false;
  std::size_t overdue = 0;  // requests given up at their deadlines that a device has not answered
  std::string contents_changed;  // main held other data than was written, where; empty: no
  std::string reason;            // of the worst one, for people; empty if none
};

// What became of the sectors a relocation was asked for.
struct RelocationReport {
  SectorCount relocated;
  SectorCount lost;       // main could not read them: now listed as lost
  SectorCount untouched;  // already remapped, gone or lost
};

// What became of the sectors that were to go back to main.
struct UnremapReport {
  SectorCount returned;   // main serves them again, their spare sectors are free
  SectorCount kept;       // still remapped, as before: some step of the way back failed
  SectorCount untouched;  // were not remapped
  Sector first_kept;      // means something if any is kept
  int error = 0;          // of the last failure; 0: main read back other data than was written
};

// What became of the lost and suspect sectors that main was asked for again.
struct RetryReport {
  SectorCount asked;      // lost or suspect in the range when it began
  SectorCount tried;      // of these, asked so far; all of them unless it was ended early
  SectorCount recovered;  // read, and are on the spare now
  SectorCount good;       // read well and fast from main, or were written meanwhile
  SectorCount lost;       // still lost, or not read any more
  SectorCount suspect;    // still suspect: not tried
  int error = 0;          // of the last read that failed; 0: none did
};

// Told how far a retry is, before each of its reads; false ends it.
using RetryProgress = std::function<bool(const RetryReport& so_far)>;

// Data for sectors whose contents nobody can read, from an image.
struct Backfill {
  std::vector<SectorRange> ranges;  // whole logical blocks of main, sorted, disjoint
  std::span<const std::byte> data;  // of all of them, one after another
  std::uint64_t as_of = 0;          // a sector that became lost by a later commit is not filled
  bool gone_too = false;            // gone ones, which had newer contents than main ever had
};

// What became of them.
struct BackfillReport {
  SectorCount filled;     // the spare serves them now
  SectorCount kept_gone;  // gone, and they were not to be filled
  SectorCount unchanged;  // neither lost nor gone, or lost only since `as_of`

  bool operator==(const BackfillReport&) const = default;
};

// What a scan of a range found.
struct ScanReport {
  // False: it ended before the end of the range, because it was told to, main does not answer,
  // somebody else is finding out what is wrong there, or the spare did not take what was found. Ask
  // for the range again later.
  bool complete = true;
  bool trouble = false;          // a read of main failed, whatever became of it
  std::uint64_t main_reads = 0;  // requests to main, without what failed ones set off
  SectorCount lost;              // of either device: unreadable, and were not known to be
  SectorCount recovered;         // read only when asked again, and are on the spare now
  // Parts of main that took so long that they may be slow: measure_slow() finds out.
  std::vector<SectorRange> long_reads;
};

// Whether something that takes long is still wanted; it is asked before each read.
using ContinueCheck = std::function<bool()>;

// Changes the records of a commit; `table` is the table of that very commit.
using RecordEdit = std::function<void(format::Records& records, const table::Table& table)>;

// Thread-safe.
class Admin {
 public:
  // Moves good, suspect and lost sectors of the range to the spare while they can be read; what
  // cannot be read becomes lost. Waits for requests in flight on the range and holds off writes
  // that overlap. Errors: read_only, tripped, spare_full, metadata_full, metadata_commit.
  virtual Result<RelocationReport> relocate(SectorRange range) = 0;

  // Asks main now for the lost and suspect sectors of the range, as the background does once an
  // hour: what reads is moved to the spare, a suspect one that reads as fast as its neighbours is
  // good. May take as long as a drive tries each of them. Errors: usage, read_only, tripped,
  // timeout, spare_full, metadata_full, metadata_commit; what was recovered before one stays so.
  virtual Result<RetryReport> retry(SectorRange range, const RetryProgress& go_on) = 0;

  // Writes what the spare holds for remapped sectors of the range back to main, flushes, reads it
  // back and compares, and only then drops the mapping. Waits and holds off as relocate does.
  // Errors: read_only, tripped, timeout, metadata_commit; what came back before one stays back.
  virtual Result<UnremapReport> unremap(SectorRange range) = 0;

  // Takes over a list from elsewhere, rounded out to logical blocks, in one commit: all or nothing.
  // `dry_run`: only says what that would change. Errors: usage (not on main), read_only, tripped,
  // timeout, metadata_full, metadata_commit.
  virtual Result<table::MarkReport> mark_known_bad(const table::KnownBad& list, bool dry_run) = 0;

  // Puts the data of lost sectors on the spare, in one commit: all or nothing. What is not lost any
  // more stays as it is, so a user's write always wins. Waits and holds off as relocate does.
  // Errors: usage, read_only, tripped, timeout, spare_full, metadata_full, metadata_commit.
  virtual Result<BackfillReport> backfill(const Backfill& fill) = 0;

  // Reads each sector of the range from where it is served, to see whether that is possible still.
  // What is found goes the way of a user's read that fails; what is known to be unreadable is not
  // asked. No request is counted. Errors: usage, read_only.
  virtual Result<ScanReport> scan(SectorRange range, const ContinueCheck& go_on) = 0;
  // Measures each block of the range against its neighbours and lists as suspect what is far
  // slower; returns how much that is. Do it some seconds after the long read, when the drive does
  // not hold it in its cache any more. Errors: usage, read_only.
  virtual Result<SectorCount> measure_slow(SectorRange range, const ContinueCheck& go_on) = 0;

  // Reads both slots of a metadata copy again; returns how many are damaged. Nothing is written.
  // Errors: read_only; metadata_commit: the spare does not answer, or another writer's commit was
  // found, and the set became read-only.
  virtual Result<unsigned> check_metadata(unsigned copy) = 0;
  // Writes what the calls of check_metadata() found damaged anew, and says so in an event; returns
  // how many slots read as they should now. Errors: the same.
  virtual Result<unsigned> mend_metadata() = 0;

  // Uses the spare up to `size` from now on. Data goes to the new room only after the commit that
  // says so is acknowledged: a crash before leaves the old size, and one after it the new one. The
  // device must serve that much already; its length need not be durable yet. Errors: usage (beyond
  // the device, or none of format::largest_growth), read_only, metadata_full, metadata_commit.
  virtual Result<void> grow_spare(SectorCount size) = 0;

  // Commits the current table with the records changed by `edit` (events are filled in as always);
  // for the set's own records: clean stop, file system UUID.
  virtual Result<void> commit_record(const RecordEdit& edit) = 0;

  // From now on the latencies of users' reads and writes are noted, or no longer: of those that
  // arrive from then on. take_latencies() returns the samples since its last call; of many, as many
  // as are enough.
  virtual void sample_latencies(bool /*on*/) {}
  [[nodiscard]] virtual std::vector<LatencySample> take_latencies() { return {}; }

  [[nodiscard]] virtual EngineCounts counts() const = 0;
  // Only loads counters, so that it can be called in the middle of a commit.
  [[nodiscard]] virtual TroubleCounts trouble() const { return {}; }
  // counts().writes, of which none is in flight any more: whatever a user changes from here on
  // makes counts().writes another number, at the latest when it ends. Waits; nothing: too long.
  [[nodiscard]] virtual std::optional<std::uint64_t> settled_writes() const {
    return counts().writes;
  }
  // Another number than before if something was changed since in the head of main
  // (head_writes.hpp); past this process, in the regions that it lies in. Who reads this first sees
  // the change there.
  [[nodiscard]] virtual std::uint64_t head_writes() const { return counts().writes; }
  [[nodiscard]] virtual TableCounts table_counts() const = 0;
  [[nodiscard]] virtual Conditions conditions() const = 0;
  // What is known for certain of main's contents now: for the metadata, and the next start.
  [[nodiscard]] virtual std::vector<BlockHash> evidence() const { return {}; }
  // Takes over what was seen of the devices without a request: a main that is not there or became
  // smaller trips the breaker, a spare of another size is not written to until it has its own
  // again. Call it every few seconds, for good news too.
  virtual void note_devices(const DeviceNews& /*news*/) {}
  // The table now, sorted by main sector.
  [[nodiscard]] virtual std::vector<format::Extent> extents() const = 0;

  // Remapped sectors whose spare sector does not read, sorted.
  [[nodiscard]] virtual std::vector<FailingPlace> failing() const { return {}; }

  // True if main serves all of `range`, nobody holds or watches a part of it, and writes there may
  // be acknowledged: users' requests may go to main past this process. Takes no lock. A hold or
  // watch that begins later says so to the direct path (remap/direct_path.hpp).
  [[nodiscard]] virtual bool may_go_direct(SectorRange /*range*/) const { return false; }

  // From here on nothing is relocated but by relocate(), and no spare is watched, until the other
  // is called. May be called again. Not at the same time as the other or as stop().
  virtual void end_background() {}
  virtual void begin_background() {}

 protected:
  ~Admin() = default;
};

}  // namespace dmremap::remap
