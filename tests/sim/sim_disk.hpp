// SPDX-License-Identifier: GPL-2.0-or-later
// A disk of a World: its requests take time and overlap, its write cache is volatile, and it goes
// wrong by rule. Faults are an overlay: once they are gone, what was written is there.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/block_device.hpp"
#include "sim/dice.hpp"
#include "sim/faults.hpp"
#include "sim/medium.hpp"
#include "sim/world.hpp"

namespace dmremap::sim {

struct DiskPolicy {
  // Of each request; one in `slow_tail` takes twenty times as long (0: none).
  std::chrono::nanoseconds latency_min = std::chrono::microseconds(20);
  std::chrono::nanoseconds latency_max = std::chrono::microseconds(200);
  std::uint64_t slow_tail = 128;
  // One in so many requests of several sectors takes effect at several instants (0: none).
  std::uint64_t split_one_in = 3;
  // Of writes that fail: some of their sectors may have changed.
  double torn = 0.5;
  // Of sectors of a torn write: they can no longer be read (ENODATA) until written.
  double torn_unreadable = 0;
  bool write_zeroes = true;  // else EOPNOTSUPP
  bool discard = true;       // else EOPNOTSUPP
};

// Requests change and read sector by sector, at instants between their issue and their answer, so a
// reader may see a write half done, but never half a sector. A flush makes durable what was
// answered before it was issued. Zeroes and discards are writes of zeros. The buffer of a read that
// fails is filled with 0xE7.
//
// Outlived by its World. Functions other than requests take no time and make no step of the World,
// so they may be called from `at_step`; where they cut off requests in flight, each write of these
// has landed wholly, in part or not at all.
class SimDisk final : public io::BlockDevice {
 public:
  SimDisk(World& world, const io::Geometry& geometry, std::string path = "disk",
          const DiskPolicy& policy = {});

  // As the kill of the process that uses it: requests in flight are cut off and all later ones fail
  // at once with ENODEV, change nothing and take no time. The cache stays.
  void freeze();
  void thaw() { frozen_ = false; }
  [[nodiscard]] bool frozen() const { return frozen_; }

  // The power goes and comes back: requests in flight are cut off (ENODEV), and what was not
  // flushed is kept or lost: none, all, whole requests or any sectors.
  void power_cut();
  void power_cut(Keep keep);

  // Until `replug`, all requests fail with `error`; those in flight are cut off.
  void unplug(int error);
  void replug(bool lost_cache);  // lost: as at a power cut
  [[nodiscard]] bool plugged() const { return unplugged_ == 0; }

  // Rules apply to requests issued after they were added.
  [[nodiscard]] Faults& faults() { return faults_; }
  [[nodiscard]] const FaultCounts& fault_counts() const { return faults_.counts(); }
  // Reads fail until the sector is written. A power cut that loses that write brings it back.
  void spoil(SectorRange range, int error);
  [[nodiscard]] std::vector<Sector> spoiled() const;
  [[nodiscard]] DiskPolicy& policy() { return policy_; }
  // No rules, nothing torn or slow, plugged in, no lost writes to come. Spoiled sectors stay.
  void quiet();

  // What a reader would see if nothing was spoiled. Whole device; until the next change.
  [[nodiscard]] std::span<const std::byte> contents() const { return medium_.bytes(); }
  [[nodiscard]] std::span<const std::byte> peek(Sector sector) const { return medium_.at(sector); }
  void poke(Sector first, std::span<const std::byte> data);  // durable at once
  [[nodiscard]] std::size_t unflushed_sectors() const { return medium_.unflushed_sectors(); }
  // How often acknowledged writes were lost, for a flush to tell, or a flush has told it and may
  // have given up others as well (flush_error).
  [[nodiscard]] std::uint64_t losses() const { return losses_; }
  [[nodiscard]] std::uint64_t requests() const { return requests_; }  // not those while frozen
  [[nodiscard]] std::size_t in_flight() const;                        // requests

 private:
  struct Flight;
  struct Instant;
  struct Batch;
  struct LostWrite {
    SectorRange range;
    std::uint64_t write;
    int error;       // of the flush
    int read_error;  // of the sectors, or 0
  };

  io::IoStatus do_read(Sector first, std::span<std::byte> out) override;
  io::IoStatus do_write(Sector first, std::span<const std::byte> data) override;
  void do_read_many(std::span<io::ReadOp> ops) override;
  void do_write_many(std::span<io::WriteOp> ops) override;
  io::IoStatus do_flush() override;
  io::IoStatus do_write_zeroes(SectorRange range) override;
  io::IoStatus do_discard(SectorRange range) override;

  io::IoStatus alone(Flight& flight);
  io::IoStatus unsupported();
  void fly(std::span<Flight> flights);
  void issue(Flight& flight, std::vector<Instant>& instants);
  void happen(Batch& batch, const Instant& instant);
  void take_effect(Flight& flight, std::uint64_t first, std::uint64_t count);
  void read_sector(Flight& flight, std::uint64_t index);
  void write_sector(Flight& flight, std::uint64_t index);
  void take_flush(Flight& flight);
  void answer(Flight& flight);
  void settle(Flight& flight);
  void cut_off(int error);
  void cut_off(Flight& flight, std::uint64_t from, std::uint64_t count);
  void lose_some();
  void lose_power(Keep keep);
  [[nodiscard]] Keep any_keep();
  [[nodiscard]] std::uint64_t some_latency_ns();

  World& world_;
  DiskPolicy policy_;
  Dice dice_;
  Medium medium_;
  Faults faults_;
  World::BellPtr cut_;
  std::vector<Batch*> batches_;
  std::vector<LostWrite> lost_writes_;
  int flush_error_ = 0;  // of writes lost since: the next flush gives it
  int unplugged_ = 0;
  bool frozen_ = false;
  std::uint64_t requests_ = 0;
  std::uint64_t losses_ = 0;
  std::uint64_t writes_ = 0;
  std::uint64_t ticks_ = 0;  // of answered writes
};

}  // namespace dmremap::sim
