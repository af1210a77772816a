// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/sim_device.hpp"

#include <algorithm>
#include <cstddef>

#include "base/assert.hpp"

namespace dmremap::sim {

namespace {

using io::IoStatus;
using io::kIoOk;
using Faults = std::vector<std::pair<SectorRange, int>>;

IoStatus fault_in(const Faults& faults, SectorRange range) {
  for (const auto& [bad, error] : faults) {
    if (bad.overlaps(range)) return {error};
  }
  return kIoOk;
}

SectorRange range_of(Sector first, std::size_t bytes) {
  return {first, SectorCount::from_bytes(bytes)};
}

void copy_sector(std::vector<std::byte>& to, Sector sector, std::span<const std::byte> from,
                 std::uint64_t index) {
  const auto part = from.subspan(index * kSectorBytes, kSectorBytes);
  std::ranges::copy(part, to.begin() + static_cast<std::ptrdiff_t>(sector.byte_offset()));
}

}  // namespace

SimDevice::SimDevice(io::Geometry geometry, std::string path)
    : BlockDevice(std::move(path), geometry),
      durable_(geometry.size.bytes()),
      current_(geometry.size.bytes()) {}

void SimDevice::set_hook(std::function<IoStatus(const Request&)> hook) {
  auto shared = hook ? std::make_shared<const Hook>(std::move(hook)) : nullptr;
  const std::lock_guard lock(mutex_);
  hook_ = std::move(shared);
}

void SimDevice::fail_reads(SectorRange range, int error) {
  const std::lock_guard lock(mutex_);
  read_faults_.emplace_back(range, error);
}

void SimDevice::fail_writes(SectorRange range, int error) {
  const std::lock_guard lock(mutex_);
  write_faults_.emplace_back(range, error);
}

void SimDevice::clear_faults() {
  const std::lock_guard lock(mutex_);
  read_faults_.clear();
  write_faults_.clear();
}

void SimDevice::spoil(SectorRange range, int error) {
  const std::lock_guard lock(mutex_);
  for (Sector at = range.first; at < range.end(); ++at.value) spoiled_[at.value] = error;
}

void SimDevice::set_landing(std::function<std::optional<Sector>(const Request&)> landing) {
  const std::lock_guard lock(mutex_);
  landing_ = std::move(landing);
}

void SimDevice::mend(SectorRange range) {
  spoiled_.erase(spoiled_.lower_bound(range.first.value), spoiled_.lower_bound(range.end().value));
}

void SimDevice::power_cut(const std::function<bool(const Request& write, Sector sector)>& keep) {
  const std::lock_guard lock(mutex_);
  for (const Unflushed& write : unflushed_) {
    for (std::uint64_t i = 0; i < write.request.range.count.value; ++i) {
      const Sector sector = write.request.range.first + SectorCount{i};
      if (!write.superseded[i] && keep(write.request, sector)) {
        copy_sector(durable_, sector, write.data, i);
      }
    }
  }
  for (const Unflushed& write : unflushed_) {
    const auto at = static_cast<std::ptrdiff_t>(write.request.range.first.byte_offset());
    std::copy_n(durable_.begin() + at, write.data.size(), current_.begin() + at);
  }
  unflushed_.clear();
}

std::size_t SimDevice::unflushed_writes() const {
  const std::lock_guard lock(mutex_);
  return unflushed_.size();
}

std::vector<SectorRange> SimDevice::unflushed_ranges() const {
  const std::lock_guard lock(mutex_);
  std::vector<SectorRange> out;
  for (const Unflushed& write : unflushed_) out.push_back(write.request.range);
  return out;
}

std::uint64_t SimDevice::steps() const {
  const std::lock_guard lock(mutex_);
  return steps_;
}

std::vector<std::byte> SimDevice::contents() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void SimDevice::grow(SectorCount size) {
  {
    const std::lock_guard lock(mutex_);
    durable_.resize(size.bytes());
    current_.resize(size.bytes());
  }
  grow_to(size);
}

void SimDevice::poke(Sector first, std::span<const std::byte> data) {
  const SectorRange range = range_of(first, data.size());
  DMREMAP_ASSERT(data.size() % kSectorBytes == 0);
  DMREMAP_ASSERT((SectorRange{{0}, geometry().size}.contains(range)));
  const std::lock_guard lock(mutex_);
  const auto offset = static_cast<std::ptrdiff_t>(first.byte_offset());
  std::ranges::copy(data, durable_.begin() + offset);
  std::ranges::copy(data, current_.begin() + offset);
  supersede(range);
  mend(range);
}

IoStatus SimDevice::before(Request& request) {
  std::shared_ptr<const Hook> hook;
  {
    const std::lock_guard lock(mutex_);
    request.step = request.kind == Request::Kind::read ? steps_ : steps_++;
    hook = hook_;
  }
  return hook ? (*hook)(request) : kIoOk;
}

void SimDevice::keep_unflushed(const Request& request, std::span<const std::byte> data) {
  mend(request.range);
  std::ranges::copy(
      data, current_.begin() + static_cast<std::ptrdiff_t>(request.range.first.byte_offset()));
  unflushed_.push_back(Unflushed{request,
                                 {data.begin(), data.end()},
                                 std::vector<bool>(request.range.count.value, false),
                                 false});
}

void SimDevice::supersede(SectorRange range) {
  for (Unflushed& older : unflushed_) {
    const SectorRange common = older.request.range.intersect(range);
    for (std::uint64_t i = 0; i < common.count.value; ++i) {
      older.superseded[(common.first - older.request.range.first).value + i] = true;
    }
  }
}

IoStatus SimDevice::do_read(Sector first, std::span<std::byte> out) {
  Request request{Request::Kind::read, range_of(first, out.size()), 0};
  if (const IoStatus status = before(request); !status.ok()) return status;
  const std::lock_guard lock(mutex_);
  if (const IoStatus status = fault_in(read_faults_, request.range); !status.ok()) return status;
  if (const auto bad = spoiled_.lower_bound(first.value);
      bad != spoiled_.end() && bad->first < request.range.end().value) {
    return {bad->second};
  }
  const auto offset = static_cast<std::ptrdiff_t>(first.byte_offset());
  std::copy_n(current_.begin() + offset, out.size(), out.begin());
  return kIoOk;
}

IoStatus SimDevice::do_write(Sector first, std::span<const std::byte> data) {
  Request request{Request::Kind::write, range_of(first, data.size()), 0};
  if (const IoStatus status = before(request); !status.ok()) return status;
  const std::lock_guard lock(mutex_);
  if (const IoStatus status = fault_in(write_faults_, request.range); !status.ok()) return status;
  if (landing_) {
    const std::optional<Sector> lands = landing_(request);
    if (!lands) return kIoOk;
    request.range.first = *lands;
    DMREMAP_ASSERT((SectorRange{{0}, geometry().size}.contains(request.range)));
  }
  keep_unflushed(request, data);
  return kIoOk;
}

IoStatus SimDevice::do_flush() {
  Request request{Request::Kind::flush, {}, 0};
  const IoStatus status = before(request);
  const std::lock_guard lock(mutex_);
  if (!status.ok()) {
    for (Unflushed& write : unflushed_) write.flush_failed = true;
    return status;
  }
  std::vector<Unflushed> flushed;
  std::vector<Unflushed> failed;
  for (Unflushed& write : unflushed_) {
    (write.flush_failed ? failed : flushed).push_back(std::move(write));
  }
  unflushed_ = std::move(failed);
  for (const Unflushed& write : flushed) {
    for (std::uint64_t i = 0; i < write.request.range.count.value; ++i) {
      if (write.superseded[i]) continue;
      copy_sector(durable_, write.request.range.first + SectorCount{i}, write.data, i);
    }
    supersede(write.request.range);
  }
  return kIoOk;
}

IoStatus SimDevice::do_write_zeroes(SectorRange range) {
  Request request{Request::Kind::write_zeroes, range, 0};
  if (const IoStatus status = before(request); !status.ok()) return status;
  const std::lock_guard lock(mutex_);
  if (const IoStatus status = fault_in(write_faults_, range); !status.ok()) return status;
  keep_unflushed(request, std::vector<std::byte>(range.count.bytes()));
  return kIoOk;
}

IoStatus SimDevice::do_discard(SectorRange range) {
  Request request{Request::Kind::discard, range, 0};
  if (const IoStatus status = before(request); !status.ok()) return status;
  const std::lock_guard lock(mutex_);
  keep_unflushed(request, std::vector<std::byte>(range.count.bytes()));
  return kIoOk;
}

}  // namespace dmremap::sim
