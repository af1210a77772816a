// SPDX-License-Identifier: GPL-2.0-or-later
// The part of Remapper that takes the room of a spare that became larger into use.
#include "format/body.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

Outcome Remapper::run_growth(SectorCount size) {
  // Several at once must not undo one another.
  const RecordEdit edit = [size](format::Records& records, const table::Table& /*table*/) {
    if (size > format::usable_spare_size(records)) records.grown_spare = size;
  };
  Job job;
  job.record = &edit;
  job.grown = size;
  return submit(job);
}

// The record of the new size may cost entries, if a later version's sections lie beside the table.
bool Remapper::has_entries_for_growth() const {
  format::Records grown = base_;
  if (!grown.grown_spare) grown.grown_spare = SectorCount{};
  if (!format::sections_fit(grown)) return false;
  const std::size_t capacity = metadata::table_capacity(grown);
  return capacity == path_.table_capacity.load() ||
         table_.size() + table_.retired().size() <= capacity;
}

// The length of an image must be durable before a commit relies on it. By its gate: a failure of
// this flush is one of all that was written before, and users have to be told. Before the
// signposts, whose flush is the commit's.
bool Remapper::prepare_growth(SectorCount size) {
  SpareDevice& spare = path_.spares.metadata_spare();
  if (!spare.flush_since(spare.gate.mark()).ok()) return false;
  const auto ready = spare.watch_for_absence([&] { return store_.prepare_growth(size); });
  if (!ready) spare.trouble.sign();
  return ready.has_value();
}

// No table names a sector of the new room before the commit is acknowledged that took it over. What
// a crash leaves before that is a set whose spare ends where it did.
void Remapper::use_new_room(SectorCount size) {
  path_.table_capacity.store(metadata::table_capacity(base_));
  spare_use_.grow(size);
  search_ = PlaceSearch(path_.spares.capacity(), path_.unit());
}

}  // namespace dmremap::remap
