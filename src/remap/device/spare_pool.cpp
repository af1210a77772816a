// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/spare_pool.hpp"

#include "base/assert.hpp"
#include "format/layout.hpp"

namespace dmremap::remap {

SparePool::SparePool(std::vector<SpareParts> parts, std::uint64_t recheck_ns,
                     Scheduling& scheduling)
    : failing(recheck_ns) {
  DMREMAP_ASSERT(!parts.empty() && parts.size() <= kMostSpares);
  for (SpareParts& spare : parts) {
    const SpareIndex index{static_cast<std::uint8_t>(devices_.size())};
    devices_.emplace_back(index, *spare.device, spare.recorded_size, std::move(spare.allocator),
                          scheduling);
  }
}

SpareDevice& SparePool::at(SpareIndex index) {
  DMREMAP_ASSERT(position_of(index) < devices_.size());
  return devices_[position_of(index)];
}

io::IoStatus SparePool::read(SpareAddress first, std::span<std::byte> out) {
  return at(first.index).read(first.sector, out);
}

io::IoStatus SparePool::write(SpareAddress first, std::span<const std::byte> data) {
  return at(first.index).write(first.sector, data);
}

SparePool::Marks SparePool::marks() const {
  Marks out{};
  for (const SpareDevice& spare : devices_) out.at(position_of(spare.index)) = spare.gate.mark();
  return out;
}

io::IoStatus SparePool::flush_since(const Marks& since) {
  io::IoStatus out;
  for (SpareDevice& spare : devices_) {
    const io::IoStatus status = spare.flush_since(since.at(position_of(spare.index)));
    if (out.ok()) out = status;
  }
  return out;
}

void SparePool::fail_flushes(int error) {
  for (SpareDevice& spare : devices_) spare.gate.fail(error);
}

std::pair<SpareState, std::string> SparePool::found() const {
  for (const SpareDevice& spare : devices_) {
    if (auto found = spare.trouble.found(); found.first != SpareState::answers) return found;
  }
  return {SpareState::answers, {}};
}

std::optional<SpareRange> SparePool::allocate(SectorCount wanted) {
  for (SpareDevice& spare : devices_) {
    if (auto run = spare.allocator.allocate(wanted)) return run;
  }
  return std::nullopt;
}

void SparePool::give_back(SpareRange run) {
  at(run.first.index).allocator.give_back(run);
}

void SparePool::free_after(SpareRange run, std::uint64_t epoch) {
  at(run.first.index).allocator.free_after(run, epoch);
}

void SparePool::reclaim(std::uint64_t oldest) {
  for (SpareDevice& spare : devices_) spare.allocator.reclaim(oldest);
}

void SparePool::grow(SpareIndex index, SectorCount before, SectorCount size) {
  SpareDevice& spare = at(index);
  spare.allocator.grow(size, format::signpost_area(spare.recorded_size, size),
                       format::signpost_area(spare.recorded_size, before));
}

SectorCount SparePool::capacity() const {
  SectorCount sum;
  for (const SpareDevice& spare : devices_) sum = sum + spare.allocator.capacity();
  return sum;
}

SectorCount SparePool::available() const {
  SectorCount sum;
  for (const SpareDevice& spare : devices_) sum = sum + spare.allocator.available();
  return sum;
}

}  // namespace dmremap::remap
