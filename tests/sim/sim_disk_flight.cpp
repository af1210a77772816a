// SPDX-License-Identifier: GPL-2.0-or-later
// A request of a SimDisk from issue to answer.
#include "sim/sim_disk_flight.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace dmremap::sim {

namespace {

constexpr std::array<std::byte, kSectorBytes> kZeroSector{};
constexpr std::span<const std::byte> kZeros = kZeroSector;
constexpr std::byte kNoData{0xE7};
constexpr std::uint64_t kMostInstants = 4;
// One request in so many finds that a write which is to be lost is lost by now.
constexpr std::uint64_t kLossOneIn = 4;

}  // namespace

std::uint64_t SimDisk::some_latency_ns() {
  const std::uint64_t ns = dice_.between(static_cast<std::uint64_t>(policy_.latency_min.count()),
                                         static_cast<std::uint64_t>(policy_.latency_max.count()));
  return policy_.slow_tail != 0 && dice_.one_in(policy_.slow_tail) ? ns * 20 : ns;
}

void SimDisk::fly(std::span<Flight> flights) {
  if (frozen_) {
    for (Flight& flight : flights) flight.status = {ENODEV};
    return;
  }
  std::vector<Instant> instants;
  instants.reserve(flights.size() * 2);
  for (Flight& flight : flights) {
    flight.answered = flight.skipped;
    if (flight.skipped) continue;
    const std::size_t before = instants.size();
    issue(flight, instants);
    const auto index = static_cast<std::size_t>(&flight - flights.data());
    for (std::size_t i = before; i < instants.size(); ++i) instants[i].flight = index;
  }
  std::ranges::stable_sort(instants, {}, &Instant::at_ns);
  Batch batch{flights, instants};
  batches_.push_back(&batch);
  while (!batch.cut && !batch.to_come.empty()) {
    const Instant instant = batch.to_come.front();
    if (instant.at_ns > world_.time_ns()) {
      world_.sleep_until(instant.at_ns, *cut_);
      continue;
    }
    batch.to_come = batch.to_come.subspan(1);
    happen(batch, instant);
  }
  if (!batch.cut) std::erase(batches_, &batch);
}

// Decides what becomes of the request, and when.
void SimDisk::issue(Flight& flight, std::vector<Instant>& instants) {
  ++requests_;
  world_.trace(flight.range.first.value << 16U | flight.range.count.value << 2U |
               static_cast<std::uint64_t>(flight.operation));
  while (!lost_writes_.empty() &&
         (flight.operation == Operation::flush || dice_.one_in(kLossOneIn))) {
    lose_some();
  }
  const std::uint64_t start = world_.time_ns();
  std::uint64_t end = start + some_latency_ns();
  if (unplugged_ != 0) {
    flight.fate.error = unplugged_;
    faults_.counts().fired(FaultKind::gone);
    instants.push_back({end});
    return;
  }
  flight.fate = faults_.judge(flight.operation, flight.range, geometry().unit(), dice_);
  end += static_cast<std::uint64_t>(flight.fate.delay.count());
  flight.tick = ticks_;
  if (flight.operation == Operation::write) {
    flight.write = ++writes_;
    flight.tears = flight.fate.error != 0 && dice_.chance(policy_.torn);
  }
  const std::uint64_t sectors = flight.range.count.value;
  std::uint64_t pieces = 1;
  if (sectors > 1 && policy_.split_one_in != 0 && dice_.one_in(policy_.split_one_in)) {
    pieces = dice_.between(2, std::min(sectors, kMostInstants));
  }
  // Pieces take effect in any order; the answer mostly follows the last of them a little later.
  for (std::uint64_t piece = 0; piece < pieces; ++piece) {
    const std::uint64_t first = sectors * piece / pieces;
    const std::uint64_t at = dice_.one_in(2) ? end : dice_.between(start, end);
    if (flight.operation == Operation::flush || sectors == 0) break;
    instants.push_back({at, 0, first, sectors * (piece + 1) / pieces - first});
  }
  instants.push_back({end});
}

void SimDisk::happen(Batch& batch, const Instant& instant) {
  Flight& flight = batch.flights[instant.flight];
  if (instant.count == 0) {
    answer(flight);
  } else {
    take_effect(flight, instant.first, instant.count);
  }
}

void SimDisk::take_effect(Flight& flight, std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t i = first; i < first + count; ++i) {
    if (flight.operation == Operation::read) {
      read_sector(flight, i);
    } else if (flight.fate.error == 0 || (flight.tears && dice_.one_in(2))) {
      write_sector(flight, i);
    }
  }
}

void SimDisk::read_sector(Flight& flight, std::uint64_t index) {
  const Sector sector = flight.range.first + SectorCount{index};
  std::memcpy(&flight.out[index * kSectorBytes], medium_.at(sector).data(), kSectorBytes);
  if (flight.fate.error != 0 || medium_.error_at(sector) == 0) return;
  flight.fate.error = medium_.error_at(sector);
  faults_.counts().fired(FaultKind::until_written);
}

void SimDisk::write_sector(Flight& flight, std::uint64_t index) {
  const Fate& fate = flight.fate;
  Sector sector = flight.range.first + SectorCount{index};
  if (fate.dropped || (fate.error != 0 && fate.untouched.contains(sector))) return;
  if (fate.elsewhere) {
    if (index >= fate.elsewhere->count.value) return;
    sector = fate.elsewhere->first + SectorCount{index};
  }
  ++flight.landed;
  if (fate.error != 0 && dice_.chance(policy_.torn_unreadable)) {
    medium_.land(sector, {}, flight.write, ENODATA);
    return;
  }
  const std::span<const std::byte> data =
      flight.data.empty() ? kZeros : flight.data.subspan(index * kSectorBytes, kSectorBytes);
  if (!fate.flipped_bit || *fate.flipped_bit / (kSectorBytes * 8) != index) {
    medium_.land(sector, data, flight.write);
    return;
  }
  std::array<std::byte, kSectorBytes> flipped{};
  std::memcpy(flipped.data(), data.data(), kSectorBytes);
  const std::uint64_t bit = *fate.flipped_bit % (kSectorBytes * 8);
  flipped[bit / 8] ^= std::byte{1} << (bit % 8);
  medium_.land(sector, flipped, flight.write);
}

void SimDisk::answer(Flight& flight) {
  if (flight.operation == Operation::flush && flight.fate.error == 0) take_flush(flight);
  flight.status = {flight.fate.error};
  settle(flight);
  if (flight.operation == Operation::write && flight.status.ok() && flight.fate.lost_later != 0) {
    lost_writes_.push_back(
        {flight.range, flight.write, flight.fate.lost_later, flight.fate.lost_error});
  }
}

// Nothing more happens to it.
void SimDisk::settle(Flight& flight) {
  flight.answered = true;
  world_.trace(static_cast<std::uint64_t>(flight.status.error));
  if (flight.operation == Operation::read && !flight.status.ok()) {
    std::ranges::fill(flight.out, kNoData);
  }
  if (flight.operation != Operation::write || flight.landed == 0) return;
  medium_.complete(flight.fate.elsewhere.value_or(flight.range), flight.write, ++ticks_);
  if (!flight.status.ok() && flight.landed < flight.range.count.value) {
    faults_.counts().fired(FaultKind::torn_write);
  }
}

void SimDisk::take_flush(Flight& flight) {
  while (!lost_writes_.empty()) lose_some();
  if (flush_error_ == 0) {
    medium_.flush(flight.tick);
    return;
  }
  ++losses_;
  faults_.counts().fired(FaultKind::flush_error);
  flight.fate.error = flush_error_;
  flush_error_ = 0;
  // The other writes may have been written, be written by the next flush, or be forgotten.
  switch (dice_.below(3)) {
    case 0:
      medium_.flush(flight.tick);
      break;
    case 1:
      medium_.give_up(flight.tick);
      break;
    default:
      break;
  }
}

void SimDisk::cut_off(int error) {
  for (Batch* const batch : batches_) {
    batch->cut = true;
    for (const Instant& instant : batch->to_come) {
      Flight& flight = batch->flights[instant.flight];
      if (instant.count != 0) {
        cut_off(flight, instant.first, instant.count);
        continue;
      }
      if (flight.operation == Operation::flush && flight.fate.error == 0 && dice_.one_in(2)) {
        take_flush(flight);
      }
      flight.status = {error};
      settle(flight);
    }
  }
  batches_.clear();
  world_.ring(*cut_);
}

void SimDisk::cut_off(Flight& flight, std::uint64_t from, std::uint64_t count) {
  if (flight.operation != Operation::write) return;
  const std::uint64_t how = dice_.below(3);  // not at all, wholly, in part
  for (std::uint64_t i = from; i < from + count; ++i) {
    if (how == 0 || (how == 2 && dice_.one_in(2))) continue;
    take_effect(flight, i, 1);
  }
}

}  // namespace dmremap::sim
