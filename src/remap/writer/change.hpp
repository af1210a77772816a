// SPDX-License-Identifier: GPL-2.0-or-later
// One change to the table in the making: what the jobs of a batch ask for, applied to a copy, with
// the data written to the spare. Nothing of it counts before it is flushed, committed and published
// (remapper.hpp); dropping it leaves spare sectors with data that nothing names.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "format/event.hpp"
#include "remap/data_path.hpp"
#include "remap/writer/place_search.hpp"
#include "table/table.hpp"

namespace dmremap::remap {

// What is to become of one range of main.
struct Item {
  enum class Kind {
    store,      // user data: to where the sectors live now if that is the spare, else to new ones
    relocate,   // data read from main: good, suspect and lost sectors move to the spare
    fill,       // data from an image: lost and gone sectors move to the spare
    move,       // data read from the spare again: failing ones move to another place on it
    mark_lost,  // good and suspect sectors become lost
    mark_suspect,   // good sectors become suspect
    clear_suspect,  // suspect sectors become good
    mark_gone,      // good and suspect ones become gone
    give_up,        // remapped ones become gone, their spare sectors retired
    heal,           // main holds the newest data again, verified: good; their spare sectors retired
    unmap,          // main holds the same as the spare, durable and verified: remapped ones become
                    // good, their spare sectors free
  };
  Kind kind = Kind::store;
  SectorRange range;
  std::span<const std::byte> data;  // store, relocate, fill, move
  int cause = 0;                    // the errno behind it; 0: by hand, or from a list
};
// All but `store` require that the caller holds the range (live_table.hpp).

enum class Outcome {
  done,
  spare_full,
  spare_no_space,  // the file system below a spare image has no room for it
  spare_refuses,   // places all over the spare refused it, or so many that time was up
  table_full,
  failed,
  read_only,
  tripped,
};
// Whether main, as the last resort, might take what the spare or the table could not.
[[nodiscard]] bool main_may_help(Outcome outcome);

// Who made the change and when: the evidence of what it binds.
struct Evidence {
  std::uint64_t sequence = 0;
  std::uint64_t wall_ns = 0;
};

// The remapper's.
class Change {
 public:
  // `unrecorded`: places of the spare that are known to be bad, and that no commit names yet.
  // `search` goes on where the change before left it.
  Change(DataPath& path, PlaceSearch& search, const table::Table& table, Evidence evidence,
         std::vector<format::Extent> unrecorded);

  // All items or none: on another outcome than `done` the change is as it was before, but for the
  // bad places that were met. The search for a place ends at `deadline_ns`, or a little later if
  // that is near or past: a drive that took all of a request's time to fail leaves some for the
  // spare.
  Outcome apply(std::span<const Item> items, std::uint64_t deadline_ns);
  // Gives back what was allocated, but for bad places.
  void abandon();
  // Makes all suspect sectors good. False: there was none.
  bool clear_suspects();

  // Without bad().
  [[nodiscard]] const table::Table& table() const { return table_; }
  // Free places of the spare that refused data, as retired extents: never given out again by this
  // allocator. Whether the items they were meant for came through or not, they are to be recorded;
  // where the table has no room for that they wait for the next commit, and what a restart forgets
  // of them is met and refused once more.
  [[nodiscard]] const std::vector<format::Extent>& bad() const { return bad_; }
  [[nodiscard]] bool found_bad() const { return bad_.size() > known_bad_; }
  [[nodiscard]] table::Table table_with_bad() const;
  [[nodiscard]] const std::vector<SectorRange>& changed() const { return changed_; }
  [[nodiscard]] const std::vector<format::Event>& events() const { return events_; }
  // What the disk is the cause of: lost, remapped, recovered and slow ones.
  [[nodiscard]] const TroubleCounts& trouble() const { return trouble_; }
  // Spare sectors that the table no longer names: free once nobody can see the former one.
  [[nodiscard]] const std::vector<SpareRange>& freed() const { return freed_; }
  // Grows with every change to the table.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  // Data lies on spare sectors that are not bound yet: flush before the commit.
  [[nodiscard]] bool placed() const { return !allocated_.empty(); }

 private:
  struct Mark {
    table::Table table;
    std::size_t changed = 0;
    std::size_t allocated = 0;
    std::size_t events = 0;
    std::size_t freed = 0;
    std::size_t bad = 0;
    TroubleCounts trouble{};
  };
  void roll_back(const Mark& mark);

  Outcome apply(const Item& item);
  Outcome store(const Item& item);
  Outcome relocate(const Item& item);
  Outcome fill(const Item& item);
  Outcome move(const Item& item);
  void mark(const Item& item);
  void give_up(const Item& item);
  void clear_suspect(const Item& item);
  void heal(const Item& item);
  void unmap(const Item& item);

  Outcome rewrite(const Item& item, SectorRange part, SpareAddress spare);
  Outcome replace(const Item& item, SectorRange part, SpareAddress spare, int cause);
  Outcome place(const Item& item, SectorRange part);
  Outcome place_once(const Item& item, SectorRange run, SpareAddress spare,
                     std::vector<SectorRange>& left);
  Outcome place_units(const Item& item, SectorRange run, SpareAddress spare, io::IoStatus whole,
                      std::vector<SectorRange>& left);
  void note_rewritten(SpareRange place);
  Outcome refused(SpareIndex spare, int error);
  [[nodiscard]] bool out_of_time() const;
  void bind(const Item& item, SectorRange part, format::State state, SpareAddress spare);
  void make_good(SectorRange part);
  [[nodiscard]] format::Extent retired_place(SpareRange spare, int cause) const;
  void retire(SpareRange spare, int cause);
  void tell(format::EventKind kind, SectorRange range, const Item& item);
  bool tell_short(SectorRange range, const Item& item);
  void count_trouble(format::EventKind kind, SectorRange range, const Item& item);

  DataPath& path_;
  PlaceSearch& search_;
  Evidence evidence_;
  table::Table table_;
  std::vector<SectorRange> changed_;
  std::vector<SpareRange> allocated_;
  std::vector<SpareRange> freed_;
  std::vector<format::Event> events_;
  TroubleCounts trouble_;
  std::size_t first_event_ = 0;  // of the items being applied
  SectorCount told_short_;       // of them: sectors without an event of their own
  std::uint64_t steps_ = 0;
  std::vector<format::Extent> bad_;
  std::size_t known_bad_;  // of them, when the change began
  std::uint64_t search_until_ns_ = 0;
  std::size_t bad_before_ = 0;  // the items being applied
  bool hopeless_ = false;       // the spare as a whole refuses
};

}  // namespace dmremap::remap
