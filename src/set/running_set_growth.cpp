// SPDX-License-Identifier: GPL-2.0-or-later
// The part of RunningSet that takes over the room of a spare that became larger.
#include "set/running_set.hpp"

namespace dmremap::set {

// Each step may be the last. A crash before the engine's commit leaves an image or a device that is
// longer than the set uses, which is how this began; a crash after it leaves the new size.
Result<SpareGrowth> RunningSet::grow_spare(std::optional<std::uint64_t> bytes) {
  const std::lock_guard alone(growth_mutex_);
  const auto device = metadata_spare().device();
  if (read_only_ || engine_->conditions().read_only) {
    return fail(ErrorCode::read_only, "is read-only: its spare cannot grow", name());
  }
  SpareGrowth out;
  out.path = device->path();
  out.size_before = {engine_->table_counts().spare_size};
  const auto room = prepare_room(*device, bytes, out.size_before,
                                 [this] { return metadata_spare().take_growth(); });
  if (!room) return failure_of(room);
  if (auto grown = engine_->grow_spare(room->to_use); !grown) return failure_of(grown);
  device->accept_size(room->device_size);
  const remap::TableCounts counts = engine_->table_counts();
  out.size = {counts.spare_size};
  out.capacity = {counts.spare_capacity};
  out.free = {counts.spare_free};
  out.entries = counts.entries;
  out.entry_capacity = counts.entry_capacity;
  return out;
}

std::vector<SpareStatus> RunningSet::spares() const {
  const auto spare = metadata_spare().device();
  std::vector<SpareStatus> out{{spare->path(), content_.identity.spare_uuid, {}}};
  if (!read_only_) {
    const SectorCount used{engine_->table_counts().spare_size};
    out.front().growable = room_to_grow(used, spare->size_opened());
  }
  return out;
}

}  // namespace dmremap::set
