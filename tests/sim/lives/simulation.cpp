// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/lives/simulation.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"
#include "base/sector_parts.hpp"
#include "metadata/survey.hpp"
#include "sim/lives/scan_pass.hpp"
#include "sim/lives/stage.hpp"
#include "table/route.hpp"

namespace dmremap::sim {

namespace {

using std::chrono::seconds;

enum class End { clean_stop, kill, power_cut };

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool talk) : stage_(seed, talk) {}

  void run() {
    stage_.world.set_step_limit(400'000'000);
    // The disk is larger than it is when the set is made.
    Wire small(stage_.spare, "spare", kSpareSize);
    const auto made =
        metadata::Store::create(small, stage_.content, stage_.world.random(), stage_.world);
    if (!made) throw Broken("a set cannot be made: " + made.error().message());
    stage_.world.run([this] {
      for (unsigned i = 0; i < stage_.plan.lives; ++i) live(i);
      calm();
    });
  }

  Verdict verdict(std::string failure) {
    Report& report = stage_.report;
    report.seeds = 1;
    report.steps = stage_.world.steps();
    report.main_faults = stage_.main.fault_counts();
    report.spare_faults = stage_.spare.fault_counts();
    return {std::move(failure), stage_.world.trace_hash(), report};
  }

 private:
  // Assembles from the devices alone, as `start` does. False: refused, or the crash came.
  bool open() {
    losses_before_ = stage_.spare.losses();
    const auto survey = metadata::survey(stage_.spare_finder.door());
    if (!survey) return refused(survey.error());
    if (const auto refusal = metadata::refusal(*survey, "spare")) return refused(*refusal);
    stage_.content = *survey->content;
    check_spare_size();
    auto store = metadata::Store::activate(stage_.spare_finder.door(), *survey, stage_.content,
                                           stage_.world.random(), stage_.world);
    if (!store) return refused(store.error());
    stage_.store = std::move(*store);
    remap::EngineParts parts;
    parts.main = stage_.main_wire;
    parts.spares = {&stage_.spare_finder.door()};
    parts.spare_reopeners = {&stage_.spare_finder};
    parts.store = stage_.store.get();
    parts.observer = &stage_;
    parts.reopener = &stage_;
    parts.clock = &stage_.world;
    parts.scheduling = &stage_.world;
    parts.evidence = evidence_;
    parts.main_settled = main_settled_ && !stage_.cache_doubtful();
    parts.evidence_interval_ms = stage_.plan.evidence_interval_ms;
    parts.memory = stage_.memory.span();
    auto engine = remap::Engine::start(parts, stage_.content);
    if (!engine) return refused(engine.error());
    stage_.engine = std::move(*engine);
    return true;
  }

  // What a crash leaves of a growth is the size before or the one after.
  void check_spare_size() {
    const SectorCount size = format::usable_spare_size(stage_.content);
    if (size < stage_.sure_size || size > stage_.asked_size) {
      throw Broken(fmt::format("promise 9: the spare has {} sectors, after {} were acknowledged",
                               size.value, stage_.sure_size.value));
    }
    stage_.sure_size = stage_.asked_size = size;
  }

  // Nothing was ever written where the spare was never to grow to.
  void check_room_behind() {
    const auto behind = stage_.spare.contents().subspan(stage_.largest_size.bytes());
    if (std::ranges::all_of(behind, [](std::byte byte) { return byte == std::byte{0}; })) return;
    throw Broken(fmt::format("something was written behind sector {} of the spare, its end",
                             stage_.largest_size.value));
  }

  bool refused(const Error& error) {
    stage_.say("opening: " + error.message());
    // Whoever had what was lost is no more: nobody is left to be told.
    stage_.look_for_losses();
    stage_.checker.killed();
    if (stage_.crashed()) return false;
    // A drive that took writes of the life before, and now says that it lost them.
    if (stage_.spare_faults > 0 || stage_.spare.losses() != losses_before_) {
      ++stage_.report.refused_opens;
      return false;
    }
    throw Broken("promise 9: the set does not open: " + error.message());
  }

  void live(unsigned number) {
    Stage& stage = stage_;
    World& world = stage.world;
    stage.say(fmt::format("life {} begins", number));
    ++stage.report.lives;
    stage.ending = false;
    stage.losses_at_start = stage.main.losses();
    const End end = some_end();
    // Of the steps of a life, some hundred are its opening.
    const bool early = stage.dice.one_in(5);
    const std::uint64_t steps = early ? stage.dice.between(1, 800) : stage.dice.between(1, 60'000);
    if (end != End::clean_stop) world.at_step(world.steps() + steps, [&stage] { stage.crash(); });
    if (open()) {
      stage.look_at_table();
      serve();
    } else if (stage.crashed()) {
      ++stage.report.crashes_in_open;
    }
    world.at_step(~std::uint64_t{0}, {});
    end_life(end);
  }

  End some_end() {
    switch (stage_.dice.below(5)) {
      case 0:
        return End::clean_stop;
      case 1:
      case 2:
        return End::kill;
      default:
        return End::power_cut;
    }
  }

  void serve() {
    Stage& stage = stage_;
    if (stage.plan.small_spare) fill_spare();
    Thread blowing(stage.world, [&stage, dice = stage.dice.fork()] { weather(stage, dice); });
    Thread administering(stage.world,
                         [&stage, dice = stage.dice.fork()] { administrator(stage, dice); });
    std::vector<Thread> clients;
    for (unsigned i = 0; i < stage.plan.clients; ++i) {
      clients.emplace_back(stage.world,
                           [&stage, i, dice = stage.dice.fork()] { client(stage, dice, i); });
    }
    Thread scanning(stage.world, [&stage, dice = stage.dice.fork()] { scanner(stage, dice); });
    for (Thread& thread : clients) thread.join();
    administering.join();
    stage.ending = true;
    scanning.join();
    blowing.join();
    end_servers();
    if (stage.dice.one_in(3)) check_full_scan();
    stage.look_at_table();
  }

  // In calm, with faults only where a sector is unreadable until it is written, what a pass has
  // read can be read, and all else is known.
  void check_full_scan() {
    Stage& stage = stage_;
    const SectorRange area{{0}, stage.plan.area};
    const auto known_before = stage.engine->table_counts().lost;
    const std::uint64_t losses = stage.main.losses() + stage.spare.losses();
    // Not by a set that is read-only by now, nor while a device is away. A copy of the dice: what
    // comes later in the life does not depend on what the pass drew.
    if (!scan_in_order(stage, stage.plan.area, stage.dice)) return;
    for (const SectorRange part : chunks_of(area, SectorCount{256})) {
      AlignedBuffer buffer(part.count.bytes());
      const bool known = is_known_unreadable(part);
      const int error = stage.engine->read(part.first, buffer.span()).error;
      if (stage.crashed()) return;
      // A flush of the engine's own took what had been in a drive's cache until then.
      if (stage.main.losses() + stage.spare.losses() != losses) return;
      // What a user's read cannot record either, with a spare that takes no commit, is no miss.
      if (error != 0 && !known && is_known_unreadable(part)) {
        throw Broken(fmt::format("a scan of {}+{} found nothing, and a read fails with errno {}",
                                 part.first.value, part.count.value, error));
      }
    }
    ++stage.report.scan_passes;
    const std::uint64_t known_now = stage.engine->table_counts().lost;
    stage.report.scanned_bad += known_now - std::min(known_now, known_before);
  }

  // Some of it.
  bool is_known_unreadable(SectorRange part) const {
    const table::Table table(stage_.engine->extents(), {});
    const std::vector<remap::FailingPlace> failing = stage_.engine->failing();
    return table::any_nowhere(table, part) ||
           std::ranges::any_of(failing, [part](const remap::FailingPlace& place) {
             return part.overlaps(place.main);
           });
  }

  // Some wait for a device still, with requests that their callers gave up.
  void end_servers() {
    for (Thread& thread : stage_.servers) thread.join();
    stage_.servers.clear();
  }

  // Leaves a few dozen free sectors.
  void fill_spare() {
    const SectorCount area = stage_.plan.area;
    if (stage_.engine->table_counts().remapped > area.value) return;
    const std::uint64_t free = stage_.engine->table_counts().spare_free;
    const std::uint64_t leave = stage_.dice.between(8, 200);
    if (free <= leave) return;
    const std::uint64_t count = align_down(free - leave, 8);
    const SectorRange range{Sector{area.value}, {count}};
    stage_.moved_by_hand.add(range);
    (void)stage_.engine->relocate(range.intersect({{0}, stage_.plan.main.size}));
  }

  void end_life(End end) {
    Stage& stage = stage_;
    if (end == End::clean_stop && !stage.crashed()) {
      if (stage.engine) {
        main_settled_ = checked_flush(stage) == 0;
        (void)stage.engine->commit_record(
            [](format::Records& content, const table::Table&) { content.health.clean = true; });
        if (stage.store) (void)stage.spare_finder.door().flush();
      }
      ++stage.report.clean_stops;
    } else if (!stage.crashed()) {
      stage.crash();
    }
    end_servers();
    const bool ran = stage.engine != nullptr;
    if (end != End::clean_stop || !ran) main_settled_ = false;
    if (stage.engine) stage.engine->stop();
    stage.engine.reset();
    stage.store.reset();
    stage.look_for_losses();
    evidence_ = ran ? stage.evidence_left() : std::vector<remap::BlockHash>();
    if (!stage.main.plugged()) stage.main.replug(false);
    if (!stage.spare.plugged()) stage.spare.replug(false);
    if (end == End::power_cut) {
      stage.say("power cut");
      ++stage.report.power_cuts;
      stage.main.power_cut();
      main_settled_ = true;
      stage.spare.power_cut();
      stage.checker.power_cut();
    } else {
      if (end == End::kill) ++stage.report.kills;
      stage.say(end == End::kill ? "killed" : "stopped");
      stage.checker.killed();
    }
    check_evidence();
    check_room_behind();
    if (end == End::power_cut) stage.losses_at_power_cut = stage.main.losses();
    stage.main.thaw();
    stage.spare.thaw();
    stage.plug_in();
    stage.spare_faults = 0;
    ++stage.spare_changes;
  }

  // What an engine left in its memory holds of main, even after a power cut: it was durable.
  void check_evidence() {
    if (stage_.cache_doubtful()) evidence_.clear();
    for (const remap::BlockHash& known : evidence_) {
      const auto now = stage_.main.contents().subspan(known.block.first.byte_offset(),
                                                      known.block.count.bytes());
      if (remap::hash_of(now) == known.hash) continue;
      throw Broken(fmt::format("promise 8: evidence of sector {} does not hold after a crash",
                               known.block.first.value));
    }
    stage_.report.evidence_kept += evidence_.size();
  }

  // No more faults: the set is healthy again, or says what it lacks, and keeps what it says.
  void calm() {
    Stage& stage = stage_;
    stage.say("calm");
    stage.ending = false;
    stage.main.faults().clear();
    stage.spare.faults().clear();
    // What the medium lost stays so until it is written; nothing else fails.
    if (!open() && !open()) throw Broken("the set does not open in calm");
    if (stage.engine->conditions().tripped || stage.engine->conditions().read_only) {
      throw Broken("in calm the set is not healthy: " + stage.engine->conditions().reason);
    }
    // A write that was to be lost may still be, and the flush after it says so.
    (void)checked_flush(stage);
    (void)checked_flush(stage);
    if (checked_flush(stage) != 0) throw Broken("in calm a flush fails for ever");
    read_all();
    let_failing_settle();
    heal_all();
    read_all();
    if (checked_flush(stage) != 0) throw Broken("in calm a flush fails");
    const std::vector<format::Extent> before = stage.engine->extents();
    end_life(End::clean_stop);
    if (!open()) throw Broken("the set does not open after a clean stop");
    if (stage.engine->extents() != before) throw Broken("a restart changed the table");
    read_all();
    end_servers();
    stage.engine->stop();
    stage.engine.reset();
    stage.store.reset();
  }

  // Remapped sectors that failed to read are kept, and asked again: in calm those that the medium
  // has not lost read before long, and those that it has lost are gone in the end, if it says so.
  void let_failing_settle() {
    Stage& stage = stage_;
    const seconds recheck{stage.content.configuration.lost_recheck_s};
    if (stage.engine->failing().empty() || stage.dice.one_in(2)) return;
    ++stage.report.settled_failing;
    stage.world.sleep((remap::FailingPlaces::kRechecksBeforeGone + 4) * recheck + seconds(60));
    stage.look_at_table();
    for (const remap::FailingPlace& place : stage.engine->failing()) {
      if (stage.plan.spare_medium_error != EIO) {
        throw Broken(fmt::format("sector {} is failing for ever", place.main.first.value));
      }
      if (!stage.spare_spoils(place.main)) {
        throw Broken(fmt::format("promise 2: sector {} would read on the spare, and nobody asks",
                                 place.main.first.value));
      }
    }
  }

  // What does not read is listed as lost, gone or failing afterwards.
  void read_all() {
    Stage& stage = stage_;
    const SectorCount step{64};
    for (Sector at{0}; at.value < stage.plan.area.value; at = at + step) {
      if (checked_read(stage, {at, step}) == 0) continue;
      for (Sector s = at; s < at + step; s = s + stage.unit()) {
        const SectorRange one{s, stage.unit()};
        if (checked_read(stage, one) == 0) continue;
        const bool listed =
            std::ranges::any_of(stage.engine->extents(), [&one](const format::Extent& extent) {
              return extent.main().overlaps(one) && (extent.state() == format::State::lost ||
                                                     extent.state() == format::State::gone);
            });
        const bool failing = std::ranges::any_of(
            stage.engine->failing(),
            [&one](const remap::FailingPlace& place) { return place.main.overlaps(one); });
        if (!listed && !failing) {
          throw Broken(fmt::format("promise 2: sector {} does not read in calm, and is not listed",
                                   s.value));
        }
      }
    }
  }

  void heal_all() {
    Stage& stage = stage_;
    for (const remap::FailingPlace& place : stage.engine->failing()) {
      const SectorRange range = place.main.intersect({{0}, stage.plan.area});
      if (!range.empty()) (void)checked_write(stage, range, false);
    }
    for (const format::Extent& extent : stage.engine->extents()) {
      if (extent.state() != format::State::lost && extent.state() != format::State::gone) continue;
      const SectorRange range = extent.main().intersect({{0}, stage.plan.area});
      if (!range.empty()) (void)checked_write(stage, range, false);
    }
    const remap::TableCounts counts = stage.engine->table_counts();
    const bool excused =
        stage.engine->conditions().spare_full || stage.engine->conditions().read_only;
    if (counts.lost + counts.gone + counts.failing > 0 && !excused && !stage.plan.small_spare) {
      throw Broken("in calm sectors stay lost although they were written");
    }
  }

  Stage stage_;
  std::uint64_t losses_before_ = 0;         // of the spare, when it was opened
  std::vector<remap::BlockHash> evidence_;  // of the life before
  bool main_settled_ = true;                // nothing is in main's cache alone
};

}  // namespace

Verdict simulate(std::uint64_t seed, bool talk) {
  // A failed one is never destroyed: its threads stand still inside it.
  auto simulation = std::make_unique<Simulation>(seed, talk);
  try {
    simulation->run();
    return simulation->verdict({});
  } catch (const std::exception& broken) {
    Verdict out = simulation->verdict(broken.what());
    (void)simulation.release();
    return out;
  }
}

}  // namespace dmremap::sim
