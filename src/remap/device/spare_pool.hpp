// SPDX-License-Identifier: GPL-2.0-or-later
// The spares of a set. What names a place goes to the spare of its address; what is meant for every
// spare goes to all of them: a user's flush, the flush before a commit, the search for a free
// place. A set has one spare so far (docs/decisions/018-a-pool-of-spares.md).
//
// The metadata is on one of them, metadata_spare().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/scheduling.hpp"
#include "base/spare_address.hpp"
#include "io/block_device.hpp"
#include "remap/device/failing_places.hpp"
#include "remap/device/spare_device.hpp"
#include "table/allocator.hpp"

namespace dmremap::remap {

// What the pool needs to know of a spare.
struct SpareParts {
  io::BlockDevice* device = nullptr;  // outlives the pool
  SectorCount recorded_size;          // as the metadata says, not as the device is now
  table::Allocator allocator;
};

// Thread-safe, but for what is the remapper's.
class SparePool {
 public:
  // `parts` by index. `recheck_ns`: how often places that fail are asked again in the end.
  SparePool(std::vector<SpareParts> parts, std::uint64_t recheck_ns, Scheduling& scheduling);

  // Requires the index of a spare of this pool.
  [[nodiscard]] SpareDevice& at(SpareIndex index);
  [[nodiscard]] SpareDevice& metadata_spare() { return devices_.front(); }
  [[nodiscard]] std::size_t size() const { return devices_.size(); }
  [[nodiscard]] auto begin() { return devices_.begin(); }
  [[nodiscard]] auto end() { return devices_.end(); }
  [[nodiscard]] auto begin() const { return devices_.begin(); }
  [[nodiscard]] auto end() const { return devices_.end(); }

  io::IoStatus read(SpareAddress first, std::span<std::byte> out);
  io::IoStatus write(SpareAddress first, std::span<const std::byte> data);

  // A point in time for the flushes of each spare (FlushGate::mark).
  using Marks = std::array<FlushGate::Mark, kMostSpares>;
  [[nodiscard]] Marks marks() const;
  // Flushes every spare, whatever becomes of the others: the first failure. As
  // SpareDevice::flush_since.
  io::IoStatus flush_since(const Marks& since);
  // What was written up to now may not be durable on any spare, whatever later flushes say.
  void fail_flushes(int error);
  // How the first spare that does not answer well answers, and why; else that all of them do.
  [[nodiscard]] std::pair<SpareState, std::string> found() const;

  // The rest is the remapper's, as Allocator's: of the first spare that has a place; of the spare
  // that the run is on; of all spares.
  [[nodiscard]] std::optional<SpareRange> allocate(SectorCount wanted);
  void give_back(SpareRange run);
  void free_after(SpareRange run, std::uint64_t epoch);
  void reclaim(std::uint64_t oldest);
  [[nodiscard]] SectorCount capacity() const;
  [[nodiscard]] SectorCount available() const;
  // As Allocator::grow, from the size `before`.
  void grow(SpareIndex index, SectorCount before, SectorCount size);

  // By main's sectors, whichever spare has them: of all spares together.
  FailingPlaces failing;
  // How full the spares are, all together; kept by the remapper for others to read.
  std::atomic<std::uint64_t> size_sectors{0};  // of the metadata's spare, as far as it is in use
  std::atomic<std::uint64_t> capacity_sectors{0};
  std::atomic<std::uint64_t> available_sectors{0};
  std::atomic<bool> full{false};
  std::atomic<bool> low{false};

 private:
  std::deque<SpareDevice> devices_;  // by index; they neither move nor come and go
};

}  // namespace dmremap::remap
