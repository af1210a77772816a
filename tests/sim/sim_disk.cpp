// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/sim_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.hpp"
#include "sim/sim_disk_flight.hpp"

namespace dmremap::sim {

using io::IoStatus;

SimDisk::SimDisk(World& world, const io::Geometry& geometry, std::string path,
                 const DiskPolicy& policy)
    : BlockDevice(std::move(path), geometry),
      world_(world),
      policy_(policy),
      dice_(world.fork_dice()),
      medium_(geometry.size),
      cut_(world.make_bell("disk")) {}

IoStatus SimDisk::do_read(Sector first, std::span<std::byte> out) {
  Flight flight;
  flight.range = {first, SectorCount::from_bytes(out.size())};
  flight.out = out;
  return alone(flight);
}

IoStatus SimDisk::do_write(Sector first, std::span<const std::byte> data) {
  Flight flight;
  flight.operation = Operation::write;
  flight.range = {first, SectorCount::from_bytes(data.size())};
  flight.data = data;
  return alone(flight);
}

void SimDisk::do_read_many(std::span<io::ReadOp> ops) {
  std::vector<Flight> flights(ops.size());
  for (std::size_t i = 0; i < ops.size(); ++i) {
    flights[i].range = {ops[i].first, SectorCount::from_bytes(ops[i].out.size())};
    flights[i].out = ops[i].out;
    flights[i].skipped = !ops[i].status.ok();
  }
  fly(flights);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!flights[i].skipped) ops[i].status = flights[i].status;
  }
}

void SimDisk::do_write_many(std::span<io::WriteOp> ops) {
  std::vector<Flight> flights(ops.size());
  for (std::size_t i = 0; i < ops.size(); ++i) {
    flights[i].operation = Operation::write;
    flights[i].range = {ops[i].first, SectorCount::from_bytes(ops[i].data.size())};
    flights[i].data = ops[i].data;
    flights[i].skipped = !ops[i].status.ok();
  }
  fly(flights);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!flights[i].skipped) ops[i].status = flights[i].status;
  }
}

IoStatus SimDisk::do_flush() {
  Flight flight;
  flight.operation = Operation::flush;
  return alone(flight);
}

IoStatus SimDisk::do_write_zeroes(SectorRange range) {
  if (!policy_.write_zeroes) return unsupported();
  Flight flight;
  flight.operation = Operation::write;
  flight.range = range;
  return alone(flight);
}

IoStatus SimDisk::do_discard(SectorRange range) {
  if (!policy_.discard) return unsupported();
  Flight flight;
  flight.operation = Operation::write;
  flight.range = range;
  return alone(flight);
}

IoStatus SimDisk::unsupported() {
  if (frozen_) return {ENODEV};
  faults_.counts().fired(FaultKind::unsupported);
  return {EOPNOTSUPP};
}

IoStatus SimDisk::alone(Flight& flight) {
  fly(std::span(&flight, 1));
  return flight.status;
}

void SimDisk::freeze() {
  frozen_ = true;
  cut_off(ENODEV);
}

void SimDisk::power_cut() {
  power_cut(any_keep());
}

void SimDisk::power_cut(Keep keep) {
  cut_off(ENODEV);
  lose_power(keep);
}

void SimDisk::unplug(int error) {
  unplugged_ = error;
  cut_off(error);
}

void SimDisk::replug(bool lost_cache) {
  unplugged_ = 0;
  if (lost_cache) lose_power(any_keep());
}

Keep SimDisk::any_keep() {
  constexpr std::array<Keep, 6> kKeeps{Keep::none,        Keep::all,         Keep::any_sectors,
                                       Keep::any_sectors, Keep::any_sectors, Keep::whole_requests};
  return kKeeps[dice_.below(kKeeps.size())];
}

void SimDisk::lose_power(Keep keep) {
  while (!lost_writes_.empty()) lose_some();
  flush_error_ = 0;
  const PowerLoss loss = medium_.power_cut(keep, dice_);
  if (loss.lost_sectors > 0) faults_.counts().fired(FaultKind::unflushed_lost);
  faults_.counts().fired(FaultKind::torn_write, loss.torn_requests);
}

void SimDisk::lose_some() {
  const LostWrite lost = lost_writes_.back();
  lost_writes_.pop_back();
  bool any = false;
  for (Sector sector = lost.range.first; sector < lost.range.end(); sector.value += 1) {
    if (!dice_.one_in(4)) any = medium_.lose(sector, lost.write, lost.read_error) || any;
  }
  if (!any) return;
  ++losses_;
  flush_error_ = lost.error;
}

void SimDisk::spoil(SectorRange range, int error) {
  DMREMAP_ASSERT(error > 0 && error < 256);
  for (Sector sector = range.first; sector < range.end(); sector.value += 1) {
    medium_.spoil(sector, error);
  }
}

std::vector<Sector> SimDisk::spoiled() const {
  std::vector<Sector> out;
  for (Sector sector; sector.value < medium_.size().value; sector.value += 1) {
    if (medium_.error_at(sector) != 0) out.push_back(sector);
  }
  return out;
}

void SimDisk::quiet() {
  faults_.clear();
  lost_writes_.clear();
  flush_error_ = 0;
  unplugged_ = 0;
  policy_.slow_tail = 0;
  policy_.torn = 0;
  policy_.torn_unreadable = 0;
}

void SimDisk::poke(Sector first, std::span<const std::byte> data) {
  for (std::size_t i = 0; i < data.size() / kSectorBytes; ++i) {
    medium_.poke(first + SectorCount{i}, data.subspan(i * kSectorBytes, kSectorBytes));
  }
}

std::size_t SimDisk::in_flight() const {
  std::size_t count = 0;
  for (const Batch* batch : batches_) {
    for (const Flight& flight : batch->flights) count += flight.answered ? 0 : 1;
  }
  return count;
}

}  // namespace dmremap::sim
