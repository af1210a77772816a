// SPDX-License-Identifier: GPL-2.0-or-later
// What the parts of a simulation share: the disks, the engine of the present life, what may be
// read, and what has gone wrong so far.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "metadata/store.hpp"
#include "remap/engine.hpp"
#include "sim/lives/checker.hpp"
#include "sim/lives/report.hpp"
#include "sim/lives/spare_finder.hpp"
#include "sim/lives/wire.hpp"
#include "sim/sim_disk.hpp"
#include "sim/world.hpp"

namespace dmremap::sim {

// A promise was broken; the text says which.
class Broken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What kind of life a seed gives. Drawn once.
struct Plan {
  explicit Plan(Dice& dice);

  io::Geometry main;
  SectorCount area{6'144};  // of main, that the clients use
  unsigned lives = 0;
  unsigned clients = 0;
  std::uint64_t requests = 0;  // of a client in a life
  std::vector<Sector> hot;     // where most requests and faults go
  bool small_spare = false;    // nearly all of it is taken before
  bool grows = false;          // an administrator takes over more of the spare's disk
  bool slow = false;           // faults that take seconds
  SectorRange weak;            // a block that reads, but far slower than its neighbours; or none
  std::uint32_t evidence_interval_ms = 1'000;
  std::uint64_t weather_one_in = 1;  // of the pauses between changes of the faults
  int spare_medium_error = 0;        // what its data gives where the medium lost it
  bool rough_spare = false;          // long runs of it refuse all writes, from the beginning
  bool locks = false;                // main takes no writes now and then, and still reads
  std::uint32_t deadline_ms = 0;     // of requests, if devices let them pass; 0: the usual one
  bool begins = false;               // some requests are begun and finished, not waited for
  std::vector<unsigned> bad_copies;  // of the metadata: at most two, that may fail for good
};

// Sectors of main for which something was ever done that allows a state.
class SectorSet {
 public:
  explicit SectorSet(SectorCount size) : has_(size.value) {}
  void add(SectorRange range) {
    const std::uint64_t end = std::min<std::uint64_t>(range.end().value, has_.size());
    for (std::uint64_t s = range.first.value; s < end; ++s) has_[s] = true;
  }
  [[nodiscard]] bool any(SectorRange range) const {
    for (Sector s = range.first; s < range.end(); s = s + SectorCount{1}) {
      if (has_[s.value]) return true;
    }
    return false;
  }
  [[nodiscard]] bool all(SectorRange range) const {
    for (Sector s = range.first; s < range.end(); s = s + SectorCount{1}) {
      if (!has_[s.value]) return false;
    }
    return true;
  }

 private:
  std::vector<bool> has_;
};

// Of the spare when the set is made: the least that holds eight copies. Its disk is larger.
inline constexpr SectorCount kSpareSize{32'768};
inline constexpr SectorCount kSpareDiskSize{40'960};

class Stage final : public remap::Observer, public remap::MainReopener {
 public:
  Stage(std::uint64_t seed, bool talk);

  // Observer
  void on_event(format::Event event) override;
  void fill_health(format::Health& health) override { ++health.remaps; }
  // MainReopener
  Result<io::BlockDevice*> reopen() override;
  void refuse(io::BlockDevice& device) override;

  // Until hide_other, another disk is where main was: one with main's identifiers whose contents
  // differ, as after it was written to on another machine, or a stranger.
  void show_other(bool stranger);
  void hide_other();

  // New handles for both; the old ones are kept, as nobody may be left with a dangling one.
  void plug_in();
  void unplug_main(int error);
  void unplug_spare(int error);
  // The engine has it again, under another handle.
  void end_spare_absence();

  // Freezes both disks: from now on nothing that the engine does has an effect.
  void crash();
  [[nodiscard]] bool crashed() const { return main.frozen(); }
  // Does a disk hold something older than what was acknowledged last?
  [[nodiscard]] bool any_lost() const;
  // What the engine's memory had at the crash, else has now.
  [[nodiscard]] std::vector<remap::BlockHash> evidence_left() const;
  // Main may show what a flush of an earlier life failed to make durable: no engine can know.
  [[nodiscard]] bool cache_doubtful() const { return losses_at_power_cut != losses_at_start; }
  // Acknowledged data was lost by a disk that will say so at the next flush?
  void look_for_losses();
  // Which sectors changed state since the last look.
  void look_at_table();

  [[nodiscard]] SectorCount unit() const { return plan.main.unit(); }
  [[nodiscard]] SectorRange block_of(Sector sector) const;
  // Has the spare's medium lost a place of these remapped sectors?
  [[nodiscard]] bool spare_spoils(SectorRange main_range) const;
  // `range` in whole units, inside main.
  [[nodiscard]] SectorRange whole(SectorRange range) const;
  // Around a hot place mostly.
  [[nodiscard]] SectorRange some_range(Dice& dice, std::uint64_t longest) const;

  // Does nothing but with `talk`.
  void say(const std::string& text) const;

  World world;
  Dice dice;
  const Plan plan;
  Report report;
  SimDisk main;
  SimDisk spare;
  Checker checker;
  const std::vector<SectorRange> reserved;  // of the spare

  std::vector<std::unique_ptr<Wire>> wires;
  Wire* main_wire = nullptr;
  SpareFinder spare_finder;
  std::unique_ptr<metadata::Store> store;
  AlignedBuffer memory;                   // of the engine; outlives it, as if mapped from a file
  std::uint64_t losses_at_start = 0;      // of main, when this life began
  std::uint64_t losses_at_power_cut = 0;  // of main, at the last one
  std::unique_ptr<remap::Engine> engine;  // of this life, once it serves
  format::Content content;
  std::vector<Thread> servers;  // of requests whose callers need not wait for the devices

  // Of the spare, as far as the set uses it: what was acknowledged, and what was asked for in this
  // life. A crash leaves something in between.
  SectorCount sure_size;
  SectorCount asked_size;
  // The most that was ever asked for. A growth that a crash has ended leaves its signposts there.
  SectorCount largest_size;

  bool ending = false;  // clients begin nothing more
  std::uint64_t trips = 0;
  std::uint64_t gone_events = 0;
  std::uint64_t stood_still_ns = 0;
  std::uint64_t spare_faults = 0;  // rules of the spare now in force, and unplugged counts as one
  std::uint64_t spare_changes = 0;
  bool spare_spoiled = false;  // some of it cannot be read until it is written
  SectorSet bad_reads;
  SectorSet bad_writes;
  SectorSet moved_by_hand;
  SectorSet listed;

 private:
  void roughen_spare();
  void note_suspect(Sector sector, const std::vector<format::Extent>& extents);

  void note_failing(const format::Event& event);

  std::unique_ptr<SimDisk> other_;
  std::unique_ptr<Wire> other_wire_;
  std::vector<std::unique_ptr<SimDisk>> former_others_;
  std::vector<std::unique_ptr<Wire>> former_other_wires_;
  bool spare_away_ = false;  // for the engine; the disk itself may be plugged in again
  bool stranger_ = false;
  io::BlockDevice* reopened_ = nullptr;  // what the engine looks at
  std::optional<std::vector<remap::BlockHash>> evidence_at_crash_;

  std::vector<format::State> states_;                     // by sector, as last seen
  std::map<std::uint64_t, std::uint64_t> failing_since_;  // by sector, ns
  std::uint64_t losses_seen_ = 0;
  std::size_t retired_seen_ = 0;
  bool talk_;
};

// Faults come and go until the life ends.
void weather(Stage& stage, Dice dice);
// Requests, each checked, until there were enough or the life ends.
void client(Stage& stage, Dice dice, unsigned number);
// Remaps, unremaps, imports lists, fills lost sectors from an image.
void administrator(Stage& stage, Dice dice);
// Scans here and there.
void scanner(Stage& stage, Dice dice);

// One read, checked. The errno.
int checked_read(Stage& stage, SectorRange range);
int checked_write(Stage& stage, SectorRange range, bool fua);
int checked_flush(Stage& stage);

}  // namespace dmremap::sim
