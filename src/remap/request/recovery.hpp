// SPDX-License-Identifier: GPL-2.0-or-later
// Settles sectors that could not be read: finds out which they are, by physical block first and
// then by unit, and records that they are lost (main held the newest version) or gone (a spare did,
// or main's cache lost it), or notes that they are failing (failing_places.hpp: a spare holds
// them). What can be read after all moves to the spare.
//
// Each read may take a bad drive a minute, so none is made while writes are held off: the block is
// watched while it is read again, and quiesced only to record what came of it
// (quiesced_range.hpp). Nothing is recorded if a write came meanwhile.
#pragma once

#include <functional>
#include <span>

#include "remap/data_path.hpp"
#include "remap/writer/quiesced_range.hpp"
#include "remap/writer/remapper.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

class Recovery {
 public:
  // `remapper` null: read-only; nothing is recorded.
  Recovery(DataPath& path, Remapper* remapper) : path_(path), remapper_(remapper) {}

  // What an unreadable sector of main becomes.
  enum class LossState { lost, gone };

  struct Settled {
    io::IoStatus status;
    bool read_at_once = true;  // no block of it failed again
    bool on_main = false;      // some of it is served by main

    void add(const Settled& more) {
      if (!more.status.ok()) status = more.status;
      read_at_once = read_at_once && more.read_at_once;
      on_main = on_main || more.on_main;
    }
  };

  // Reads `range` into `out`, which holds as many bytes, from wherever its sectors are now. Before
  // each block `wanted` is asked whether to go on. The caller has no pin. Success: all data is in
  // `out`. An error: something could not be read, or was not asked in time; what was found out is
  // recorded, durably, before this returns. Errors: also those of a device that is not there.
  Settled settle(SectorRange range, std::span<std::byte> out, LossState loss_state,
                 const ContinueCheck& wanted);
  // Of the whole of a read that had failed: was there nothing wrong when it was repeated?
  void count_read_again(const Settled& settled);

 private:
  struct SpoiledRun;  // recovery.cpp
  struct ExaminedBlock;
  struct Settlement;
  struct ReadResult {
    io::IoStatus status;
    table::Place place = table::Place::main;  // of the part that failed
    SpareIndex spare = kFirstSpare;           // if its place is on one
  };

  static void append_spoiled(std::vector<SpoiledRun>& runs, const SpoiledRun& next);
  ReadResult read_once(SectorRange range, std::span<std::byte> out);
  int take_apart(SectorRange block, Settlement& settlement);
  int examine(WatchedRange watched, Settlement& settlement);
  int read_unit(SectorRange unit, ExaminedBlock& examined, Settlement& settlement);
  void record(Settlement& settlement);
  void note_failing(SectorRange range, int error);
  void bind(QuiescedRange& quiesced, const Settlement& settlement);

  DataPath& path_;
  Remapper* remapper_;
};

}  // namespace dmremap::remap
