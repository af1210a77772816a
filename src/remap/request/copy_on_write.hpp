// SPDX-License-Identifier: GPL-2.0-or-later
// Writes to a main that takes none and still reads (promise 6): a flash that ended its life as
// read-only, a disk that the kernel locked. All that is written has to go to the spare then, and
// an entry of the table for each block would fill the table long before the spare. So the whole
// chunk around a block moves: what main reads of it is copied along, as a snapshot copies on write.
//
//   hold the chunk and drain it    no write to it is in flight, and none begins
//   read it from main              what does not read stays where it is, lost as before
//   put the written data over it   the user's, which no device has yet
//   store it, one commit           a crash before the commit leaves main's old data in force, and
//                                  the write was not acknowledged; after it, the spare's
//   let go                         the writes that waited find their blocks on the spare
//
// Where the spare or the table has no room for the chunk, or it does not come to rest in time, only
// what was written moves.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "remap/data_path.hpp"
#include "remap/writer/quiesced_range.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

// What limits how much can be copied along.
struct ChunkRoom {
  SectorCount unmapped;       // of main: not on the spare yet
  SectorCount spare_free;     // sectors
  std::uint64_t entries = 0;  // of the table, free
};
// A power of two, at least `block`. A spare that can take all of main that it does not have yet
// gets chunks of 1 MiB, or larger ones if the table would run out of entries; else chunks are such
// that the spare and the table would be full at the same time, and at most 1 MiB.
[[nodiscard]] SectorCount chunk_size(const ChunkRoom& room, SectorCount block);

// Thread-safe.
class CopyOnWrite {
 public:
  // Both outlive this.
  CopyOnWrite(DataPath& path, Remapper& remapper)
      : path_(path), remapper_(remapper), one_copy_(path.scheduling) {}

  // `items`: what one write brought and main refused, of kind `store`, in order. The caller has no
  // pin. Another outcome than `done`: some of it may be on the spare all the same. Nothing: another
  // request in a chunk did not end, and nobody was asked to store the rest.
  // `timer`: of that write, if it has one.
  [[nodiscard]] std::optional<Outcome> store(std::span<const Item> items, std::uint64_t deadline_ns,
                                             const RequestTimer* timer);

 private:
  [[nodiscard]] std::optional<Outcome> store_chunk(SectorRange chunk, std::span<const Item> parts,
                                                   std::uint64_t deadline_ns,
                                                   const RequestTimer* timer);
  // When this part of the time that is left has passed.
  [[nodiscard]] std::uint64_t after_part(std::uint64_t part, std::uint64_t deadline_ns) const;
  // Reads into `buffer`, which is of `chunk`, what main has of it; returns which parts it read.
  [[nodiscard]] std::vector<SectorRange> read_main(const table::Table& table, SectorRange chunk,
                                                   std::span<std::byte> buffer,
                                                   std::uint64_t until_ns);
  void read_by_blocks(SectorRange part, SectorRange chunk, std::span<std::byte> buffer,
                      std::uint64_t until_ns, std::vector<SectorRange>& read);

  DataPath& path_;
  Remapper& remapper_;
  // A chunk is up to 16 MiB of memory: on the I/O path there is room for one (promise 11).
  Mutex one_copy_;
};

}  // namespace dmremap::remap
