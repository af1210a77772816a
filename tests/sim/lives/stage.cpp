// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/lives/stage.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "remap/engine_memory.hpp"

namespace dmremap::sim {

namespace {

constexpr Stamp kFirstStamp = 1;
// Beyond the area of the clients, so that there is always something that nobody writes.
constexpr SectorCount kUnwritten{4'096};

io::Geometry some_geometry(Dice& dice, SectorCount size) {
  switch (dice.below(4)) {
    case 0:
      return {size, 512, 512};
    case 1:
      return {size, 4096, 4096};
    default:
      return {size, 512, 4096};
  }
}

}  // namespace

Plan::Plan(Dice& dice) {
  small_spare = dice.one_in(12);
  grows = dice.one_in(small_spare ? 2 : 4);
  // What is beyond the area is only there to take up the spare.
  main = some_geometry(dice, small_spare ? SectorCount{31'744} : area + kUnwritten);
  lives = static_cast<unsigned>(dice.between(2, 8));
  clients = static_cast<unsigned>(dice.between(1, 6));
  requests = dice.between(10, dice.one_in(4) ? 200 : 60);
  for (std::uint64_t i = dice.between(1, 6); i > 0; --i) {
    hot.push_back({dice.below(area.value / 8) * 8});
  }
  slow = dice.one_in(4);
  weather_one_in = dice.between(1, 8);
  // Mostly more often than a disk would like, so that writes meet it.
  if (!dice.one_in(4)) evidence_interval_ms = static_cast<std::uint32_t>(dice.between(1, 10));
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (bad_copies.size() < 2 && dice.one_in(4)) bad_copies.push_back(copy);
  }
  rough_spare = !small_spare && dice.one_in(4);
  begins = dice.one_in(2);
  spare_medium_error = dice.one_in(2) ? EIO : ENODATA;
  locks = dice.one_in(6);
  if (slow && !dice.one_in(4)) {
    const std::uint64_t block = main.physical_block_bytes / kSectorBytes;
    weak = {{dice.below(area.value / block) * block}, {block}};
  }
  if (slow && dice.one_in(2)) deadline_ms = static_cast<std::uint32_t>(dice.between(500, 5'000));
}

Stage::Stage(std::uint64_t seed, bool talk)
    : world(seed),
      dice(world.fork_dice()),
      plan(dice),
      main(world, plan.main, "main"),
      spare(world, {kSpareDiskSize, 512, 4096}, "spare"),
      checker(plan.main.size, kFirstStamp),
      reserved(format::reserved_ranges(kSpareSize)),
      spare_finder(*this),
      memory(remap::EngineMemory::bytes_for(plan.main.size)),
      sure_size(kSpareSize),
      asked_size(kSpareSize),
      largest_size(kSpareSize),
      bad_reads(plan.main.size),
      bad_writes(plan.main.size),
      moved_by_hand(plan.main.size),
      listed(plan.main.size),
      states_(plan.main.size.value, format::State::good),
      talk_(talk) {
  std::vector<std::byte> bytes(plan.main.size.bytes());
  put_stamp(bytes, {0}, kFirstStamp);
  main.poke({0}, bytes);
  main.policy().write_zeroes = !dice.one_in(4);
  main.policy().discard = !dice.one_in(4);
  main.policy().torn_unreadable = dice.one_in(4) ? 0.2 : 0;
  if (main.policy().torn_unreadable > 0) bad_reads.add({{0}, plan.main.size});
  content.identity.name = "sim";
  content.identity.set_uuid = world.random().uuid();
  content.identity.spare_uuid = world.random().uuid();
  content.identity.main.size = plan.main.size;
  content.identity.spare.size = kSpareSize;
  content.configuration.lost_recheck_s = static_cast<std::uint32_t>(dice.between(1, 20));
  if (plan.deadline_ms != 0) content.configuration.request_deadline_ms = plan.deadline_ms;
  content.configuration.read_retries = static_cast<std::uint32_t>(dice.between(1, 3));
  if (plan.rough_spare) roughen_spare();
  plug_in();
}

// Where nothing takes data while there is room elsewhere: no excuse for a write that fails.
void Stage::roughen_spare() {
  for (std::uint64_t run = 0; run < 3; ++run) {
    // The first one is where the allocator begins.
    SectorRange bad{reserved[2].end(), {dice.between(16, 2'500)}};
    if (run > 0) bad.first = Sector{dice.below(kSpareSize.value - bad.count.value)};
    Sector at{0};
    for (const SectorRange& copy : reserved) {
      FaultRule rule;
      rule.kind = FaultKind::write_error;
      rule.range = bad.intersect({at, copy.first - at});
      rule.error = dice.one_in(2) ? ENODATA : EIO;
      if (!rule.range.empty()) spare.faults().add(std::move(rule));
      at = copy.end();
    }
  }
}

void Stage::say(const std::string& text) const {
  if (talk_) fmt::print(stderr, "{:>14} ns  {}\n", world.time_ns(), text);
}

void Stage::on_event(format::Event event) {
  if (event.kind == format::EventKind::trip) ++trips;
  if (event.kind == format::EventKind::rearm && reopened_ == other_wire_.get() && other_wire_) {
    throw Broken("promise 8: a disk that is not main as it was left is taken for main");
  }
  if (event.kind == format::EventKind::gone) ++gone_events;
  ++report.events[event.kind];
  note_failing(event);
  if (!talk_) return;
  say(fmt::format("event {} {}+{} errno {} {}", format::name_of(event.kind), event.main.first.value,
                  event.main.count.value, event.error, event.text));
}

// A spare sector that has the only copy is given up only after the device was asked for long.
void Stage::note_failing(const format::Event& event) {
  // Of a request that was given up: it says nothing of where its sectors lie.
  if (event.kind == format::EventKind::degraded) return;
  const SectorRange range = event.main;
  const bool begins = event.text == "spare sector fails, asked again";
  const bool reads = event.text == "its spare sector reads again";
  const bool given_up = event.text == "spare sector bad, given up";
  const std::uint64_t least_ns = remap::FailingPlaces::kRechecksBeforeGone *
                                 content.configuration.lost_recheck_s *
                                 std::uint64_t{1'000'000'000};
  for (Sector s = range.first; s < range.end(); s = s + SectorCount{1}) {
    if (begins) {
      failing_since_[s.value] = world.time_ns();
      continue;
    }
    const auto since = failing_since_.find(s.value);
    const bool known = since != failing_since_.end();
    if (given_up && !known) {
      throw Broken(fmt::format("promise 2: sector {} is given up, and never failed", s.value));
    }
    if (given_up && world.time_ns() - since->second < least_ns) {
      throw Broken(fmt::format("promise 2: sector {} is given up after {} ns, before {} ns",
                               s.value, world.time_ns() - since->second, least_ns));
    }
    if (known) failing_since_.erase(since);
    if (reads) ++report.failing_moved;
  }
}

bool Stage::spare_spoils(SectorRange main_range) const {
  const std::vector<Sector> spoiled = spare.spoiled();
  return std::ranges::any_of(engine->extents(), [&](const format::Extent& extent) {
    if (extent.state() != format::State::remapped || !extent.main().overlaps(main_range)) {
      return false;
    }
    const SectorRange place = extent.slice(extent.main().intersect(main_range)).spare().sectors();
    return std::ranges::any_of(spoiled, [&](Sector s) { return place.contains(s); });
  });
}

Result<io::BlockDevice*> Stage::reopen() {
  reopened_ = nullptr;
  if (crashed()) return fail(ErrorCode::missing_device, "not there");
  if (other_ && stranger_) return fail(ErrorCode::wrong_main, "another disk is there");
  if (other_) return reopened_ = other_wire_.get();
  if (!main.plugged()) return fail(ErrorCode::missing_device, "not there");
  wires.push_back(std::make_unique<Wire>(main, "main"));
  main_wire = wires.back().get();
  return reopened_ = main_wire;
}

void Stage::refuse(io::BlockDevice& device) {
  // It may have been taken away while the engine looked at it.
  const auto is_it = [&device](const auto& wire) { return wire.get() == &device; };
  if (is_it(other_wire_) || std::ranges::any_of(former_other_wires_, is_it)) {
    ++report.others_refused;
    return;
  }
  if (crashed() || !engine || !main.plugged() || cache_doubtful()) return;
  const std::string reason = engine->conditions().reason;
  if (reason.find("not main as it was left") == std::string::npos) return;
  throw Broken("promise 8: main is refused, and it is as it was left: " + reason);
}

void Stage::show_other(bool stranger) {
  ++report.others_shown;
  stranger_ = stranger;
  say(stranger ? "a stranger is there" : "a disk that was changed is there");
  auto disk = std::make_unique<SimDisk>(world, plan.main, "other");
  // Wherever it is looked at it is another one.
  std::vector<std::byte> bytes(main.contents().begin(), main.contents().end());
  for (std::size_t at = 0; at < bytes.size(); at += kSectorBytes) bytes[at + 17] ^= std::byte{1};
  disk->poke({0}, bytes);
  other_wire_ = std::make_unique<Wire>(*disk, "other");
  other_ = std::move(disk);
}

void Stage::hide_other() {
  if (!other_) return;
  other_wire_->cut(ENODEV);
  // The engine may be reading it.
  former_others_.push_back(std::move(other_));
  former_other_wires_.push_back(std::move(other_wire_));
}

std::vector<remap::BlockHash> Stage::evidence_left() const {
  if (evidence_at_crash_) return *evidence_at_crash_;
  return remap::evidence_after_kill(memory.span(), plan.main.size);
}

void Stage::plug_in() {
  failing_since_.clear();
  hide_other();
  evidence_at_crash_.reset();
  wires.push_back(std::make_unique<Wire>(main, "main"));
  main_wire = wires.back().get();
  spare_finder.plug_in();
  spare_away_ = false;
}

void Stage::unplug_main(int error) {
  main.unplug(error);
  main.faults().counts().fired(FaultKind::gone);
  for (const auto& wire : wires) wire->cut(error);
}

void Stage::unplug_spare(int error) {
  spare.unplug(error);
  spare.faults().counts().fired(FaultKind::gone);
  spare_finder.unplug(error);
  if (!spare_away_) ++spare_faults;
  spare_away_ = true;
  ++spare_changes;
}

void Stage::end_spare_absence() {
  if (spare_away_) --spare_faults;
  spare_away_ = false;
  ++spare_changes;
  ++report.spares_returned;
}

void Stage::crash() {
  ending = true;
  if (!evidence_at_crash_) evidence_at_crash_ = evidence_left();
  if (other_) other_->freeze();
  main.freeze();
  spare.freeze();
}

bool Stage::any_lost() const {
  if (!engine) return false;
  std::map<std::uint64_t, format::Extent> by_end;
  for (const format::Extent& extent : engine->extents()) {
    by_end.emplace(extent.main().end().value, extent);
  }
  return std::ranges::any_of(checker.unsettled(), [&](const Checker::Unsettled& one) {
    std::span<const std::byte> bytes = main.peek(one.sector);
    const auto extent = by_end.upper_bound(one.sector.value);
    if (extent != by_end.end() && extent->second.main().contains(one.sector)) {
      if (extent->second.state() == format::State::remapped) {
        bytes = spare.peek(extent->second.spare().first.sector +
                           (one.sector - extent->second.main().first));
      } else if (extent->second.state() != format::State::suspect) {
        return false;
      }
    }
    // Stamps grow: a larger one is of a write in flight.
    Stamp stamp = 0;
    std::memcpy(&stamp, bytes.data(), sizeof stamp);
    return stamp != kZeros && stamp < one.oldest;
  });
}

void Stage::look_for_losses() {
  const std::uint64_t losses = main.losses() + spare.losses();
  if (losses == losses_seen_) return;
  losses_seen_ = losses;
  say("a disk has lost what it had acknowledged");
  checker.lose_unflushed(any_lost());
}

void Stage::note_suspect(Sector sector, const std::vector<format::Extent>& extents) {
  if (listed.any({sector, {1}})) return;
  if (!plan.slow) {
    throw Broken(fmt::format("sector {} is suspect, and nobody said so", sector.value));
  }
  const bool slow = std::ranges::any_of(extents, [sector](const format::Extent& extent) {
    return extent.main().contains(sector) && extent.cause() == ETIME;
  });
  if (!slow) throw Broken(fmt::format("sector {} is suspect without a reason", sector.value));
  ++report.slow_found;
}

void Stage::look_at_table() {
  if (!engine || crashed()) return;
  std::vector<format::State> now(states_.size(), format::State::good);
  const std::vector<format::Extent> extents = engine->extents();
  for (const format::Extent& extent : extents) {
    const SectorRange range = extent.main();
    std::fill_n(now.begin() + static_cast<std::ptrdiff_t>(range.first.value), range.count.value,
                extent.state());
  }
  for (std::size_t s = 0; s < now.size(); ++s) {
    if (now[s] == format::State::suspect && states_[s] != now[s]) note_suspect({s}, extents);
    if (now[s] != states_[s]) ++report.transitions[{states_[s], now[s]}];
  }
  states_ = std::move(now);
  const std::uint64_t retired = engine->table_counts().spare_retired;
  if (retired > retired_seen_) report.retired += retired - retired_seen_;
  retired_seen_ = retired;
  for (const format::Extent& extent : extents) {
    const SectorRange range = extent.main();
    if (extent.state() == format::State::lost && !bad_reads.all(range) && !listed.all(range)) {
      for (Sector s = range.first; s < range.end(); s = s + SectorCount{1}) {
        if (bad_reads.any({s, {1}}) || listed.any({s, {1}})) continue;
        throw Broken(fmt::format("promise 5 or 6: sector {} is lost, and main could always read it",
                                 s.value));
      }
    }
    if (extent.state() == format::State::remapped && !plan.slow) {
      for (Sector s = range.first; s < range.end(); s = s + SectorCount{1}) {
        const SectorRange one{s, {1}};
        // A block that reads only unit by unit is moved as a whole.
        if (bad_reads.any(block_of(s)) || bad_writes.any(one) || moved_by_hand.any(one) ||
            listed.any(one)) {
          continue;
        }
        throw Broken(
            fmt::format("promise 5 or 6: sector {} was moved, and main never refused it", s.value));
      }
    }
  }
}

SectorRange Stage::block_of(Sector sector) const {
  const std::uint64_t sectors = plan.main.physical_block_bytes / kSectorBytes;
  return {{align_down(sector.value, sectors)}, {sectors}};
}

SectorRange Stage::whole(SectorRange range) const {
  const std::uint64_t unit_sectors = unit().value;
  const Sector first{align_down(range.first.value, unit_sectors)};
  const Sector end{std::min(align_up(range.end().value, unit_sectors), plan.area.value)};
  return {first, end - first};
}

SectorRange Stage::some_range(Dice& from, std::uint64_t longest) const {
  Sector first{from.below(plan.area.value)};
  if (!from.one_in(4)) {
    const Sector near = plan.hot[from.below(plan.hot.size())];
    first = Sector{std::min(near.value + from.below(24), plan.area.value - 1)};
  }
  const std::uint64_t count =
      from.between(1, from.one_in(8) ? longest : std::min<std::uint64_t>(longest, 16));
  return whole({first, {std::min(count, plan.area.value - first.value)}});
}

}  // namespace dmremap::sim
