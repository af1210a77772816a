// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/probe.hpp"

#include <algorithm>

namespace dmremap::remap {

namespace {

constexpr std::uint64_t kSteps = 256;

}  // namespace

std::vector<Sector> spread(SectorCount size, SectorCount unit, std::uint32_t units) {
  const std::uint64_t blocks = size.value / unit.value;
  const std::uint64_t places = std::min<std::uint64_t>(units, blocks);
  std::vector<Sector> out;
  for (std::uint64_t i = 0; i < places; ++i) {
    // The middle of each of as many equal parts: the very ends of a disk are not typical.
    out.push_back({(blocks * i + blocks / 2) / places * unit.value});
  }
  return out;
}

Probe::Probe(io::BlockDevice& device, const std::vector<Sector>& candidates,
             const std::function<bool(SectorRange)>& usable, Scheduling& scheduling)
    : mutex_(scheduling), buffer_(device.geometry().logical_block_bytes) {
  for (const Sector sector : candidates) {
    const SectorRange wanted{sector, device.geometry().unit()};
    const auto unit = nearest_usable(wanted, device.geometry().size, [&](SectorRange other) {
      return usable(other) && std::ranges::find(units_, other) == units_.end();
    });
    // Only what reads while the device is well says something when it does not read later.
    if (unit && device.read(unit->first, buffer_.span()).ok()) units_.push_back(*unit);
  }
}

// The unit itself or, where the disk is too far gone for that, another one on the way around it.
std::optional<SectorRange> Probe::nearest_usable(SectorRange unit, SectorCount size,
                                                 const std::function<bool(SectorRange)>& usable) {
  const std::uint64_t units = size.value / unit.count.value;
  const std::uint64_t step = std::max<std::uint64_t>(1, units / kSteps);
  const std::uint64_t at = unit.first.value / unit.count.value;
  for (std::uint64_t i = 0; i < std::min(kSteps, units); ++i) {
    const SectorRange other{{(at + i * step) % units * unit.count.value}, unit.count};
    if (usable(other)) return other;
  }
  return std::nullopt;
}

bool Probe::ask(io::BlockDevice& device, const std::function<bool(SectorRange)>& usable) {
  std::vector<SectorRange> units;
  for (const SectorRange& unit : units_) {
    const auto instead = nearest_usable(unit, device.geometry().size, [&](SectorRange other) {
      return usable(other) && std::ranges::find(units, other) == units.end();
    });
    if (instead) units.push_back(*instead);
  }
  Tally tally(units.size());
  for (const SectorRange& unit : units) {
    // A device that is gone may take seconds for each failure.
    if (tally.alive()) break;
    tally.add(device.read(unit.first, buffer_.span()).ok());
  }
  return tally.alive().value_or(false);
}

bool Probe::alive(io::BlockDevice& device, const std::function<bool(SectorRange)>& usable) {
  const std::uint64_t before = begun_.load();
  const std::lock_guard lock(mutex_);
  // Another probe began after this call, and so after the failure: its answer is as good.
  if (begun_.load() > before) return last_alive_;
  begun_.fetch_add(1);
  last_alive_ = ask(device, usable);
  return last_alive_;
}

}  // namespace dmremap::remap
