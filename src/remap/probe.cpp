// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/probe.hpp"

#include <algorithm>

namespace dmremap::remap {

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

Probe::Probe(io::BlockDevice& device, const std::vector<Sector>& candidates, Scheduling& scheduling)
    : mutex_(scheduling), buffer_(device.geometry().logical_block_bytes) {
  for (const Sector sector : candidates) {
    if (device.read(sector, buffer_.span()).ok()) {
      units_.push_back({sector, device.geometry().unit()});
    }
  }
}

bool Probe::ask(io::BlockDevice& device, const std::function<bool(SectorRange)>& usable) {
  std::vector<SectorRange> units;
  std::ranges::copy_if(units_, std::back_inserter(units), usable);
  Tally tally(units.size());
  for (const SectorRange& unit : units) {
    if (tally.alive()) break;
    tally.add(device.read(unit.first, buffer_.span()).ok());
  }
  return tally.alive().value_or(false);
}

bool Probe::alive(io::BlockDevice& device, const std::function<bool(SectorRange)>& usable) {
  const std::uint64_t before = begun_.load();
  const std::lock_guard lock(mutex_);
  if (begun_.load() > before) return last_alive_;
  begun_.fetch_add(1);
  last_alive_ = ask(device, usable);
  return last_alive_;
}

}  // namespace dmremap::remap
