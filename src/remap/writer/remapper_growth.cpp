// SPDX-License-Identifier: GPL-2.0-or-later
// The part of Remapper that takes the room of a spare that became larger into use.
#include "format/body.hpp"
#include "format/layout.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

Result<Outcome> Remapper::run_growth(SectorCount size) {
  const RecordEdit edit = [size](format::Records& records, const table::Table& /*table*/) {
    records.grown_spare = size;
  };
  Job job;
  job.record = &edit;
  job.grown = size;
  const Outcome outcome = submit(job);
  if (!job.is_outgrown) return outcome;
  return fail(ErrorCode::usage, "the spare has grown meanwhile, and cannot grow to that size", {},
              "try again");
}

// Whoever asked for it saw the spare as it was then. After another growth the signposts of this one
// might lie where the other one has given room to data.
std::optional<Outcome> Remapper::prepare_growth(Job& job) {
  const SectorCount used = format::usable_spare_size(base_);
  if (*job.grown <= used) return Outcome::done;
  if (*job.grown != format::largest_growth(used, *job.grown)) {
    job.is_outgrown = true;
    return Outcome::failed;
  }
  // Room on the spare is of no use without entries, and nothing that is recorded gives way to it.
  if (!has_entries_for_growth()) return Outcome::table_full;
  // A crash after this leaves signposts behind the end of the spare, where nothing else lies.
  if (!lay_signposts(*job.grown)) return Outcome::failed;
  return std::nullopt;
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
bool Remapper::lay_signposts(SectorCount size) {
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
