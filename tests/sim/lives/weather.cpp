// SPDX-License-Identifier: GPL-2.0-or-later
// Faults that come and go. Those of main may be anywhere a client goes. Those of the spare's data
// may be anywhere in it. Those of the metadata that last, or that lie, keep to at most two copies:
// so much may die and the set is still read-write.
#include <array>
#include <cerrno>
#include <deque>
#include <optional>

#include <fmt/format.h>

#include "format/layout.hpp"
#include "sim/lives/stage.hpp"

namespace dmremap::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Weather {
 public:
  Weather(Stage& stage, Dice dice) : stage_(stage), dice_(dice) {}

  void blow() {
    const std::optional<std::size_t> weak = weaken();
    while (!stage_.ending) {
      stage_.world.sleep(std::chrono::microseconds(dice_.between(100, 20'000)));
      if (stage_.ending) break;
      if (!dice_.one_in(stage_.plan.weather_one_in)) continue;
      change();
    }
    clear();
    if (weak) stage_.main.faults().remove(*weak);
  }

 private:
  struct InForce {
    bool on_main = true;
    std::size_t id = 0;
  };

  // Whatever the weather.
  std::optional<std::size_t> weaken() {
    if (stage_.plan.weak.empty()) return std::nullopt;
    FaultRule rule;
    rule.kind = FaultKind::slow;
    rule.range = stage_.plan.weak;
    rule.delay = milliseconds(dice_.between(600, 3'000));
    rule.writes = false;
    return stage_.main.faults().add(std::move(rule));
  }

  void change() {
    if (rules_.size() >= 6 || (dice_.one_in(3) && !rules_.empty())) return end_one();
    switch (dice_.below(13)) {
      case 0:
      case 1:
        return spare_data();
      case 2:
        return spare_metadata();
      case 3:
        if (dice_.one_in(6)) unplug();
        return;
      case 4:
        return spoil();
      case 5:
        // Devices answer meanwhile.
        if (stage_.plan.deadline_ms == 0) stand_still();
        return;
      default:
        return main_rule();
    }
  }

  void end_one() {
    const InForce rule = rules_.front();
    rules_.pop_front();
    (rule.on_main ? stage_.main : stage_.spare).faults().remove(rule.id);
    if (!rule.on_main) {
      --stage_.spare_faults;
      ++stage_.spare_changes;
    }
  }

  void clear() {
    while (!rules_.empty()) end_one();
  }

  void add(bool on_main, FaultRule rule) {
    stage_.say(fmt::format("fault of {}: {} {}+{} errno {}", on_main ? "main" : "the spare",
                           name_of(rule.kind), rule.range.first.value, rule.range.count.value,
                           rule.error));
    if (on_main) {
      // A request that fails may be torn, and sectors that are torn may be unreadable.
      if (rule.reads && rule.kind != FaultKind::slow) stage_.bad_reads.add(rule.range);
      if (rule.writes && rule.kind != FaultKind::slow) stage_.bad_writes.add(rule.range);
      // All of a write that touches it is lost.
      if (rule.lost_error != 0) stage_.bad_reads.add({{0}, stage_.plan.main.size});
    } else {
      ++stage_.spare_faults;
      ++stage_.spare_changes;
    }
    SimDisk& disk = on_main ? stage_.main : stage_.spare;
    rules_.push_back({on_main, disk.faults().add(std::move(rule))});
  }

  int media_error() {
    constexpr std::array kErrors{EIO, EIO, ENODATA, EILSEQ};
    return kErrors.at(dice_.below(kErrors.size()));
  }

  // As `blockdev --setro` does, and a flash at its end.
  void lock() {
    FaultRule rule;
    rule.kind = FaultKind::write_error;
    rule.range = {{0}, stage_.plan.main.size};
    rule.error = dice_.one_in(2) ? EPERM : EROFS;
    rule.reads = false;
    ++stage_.report.main_locks;
    add(true, rule);
  }

  // Writes that a disk answers long after their deadline, and carries out all the same.
  void stall(bool on_main) {
    FaultRule rule;
    rule.kind = FaultKind::slow;
    rule.range = on_main ? stage_.some_range(dice_, 64) : some_spare_data();
    rule.reads = on_main && dice_.one_in(4);
    rule.delay = milliseconds(stage_.plan.deadline_ms + dice_.between(200, 60'000));
    rule.shots = dice_.between(1, 4);
    // Now and then it is refused as late.
    if (dice_.one_in(4)) rule.kind = FaultKind::hung;
    rule.error = media_error();
    add(on_main, rule);
  }

  void main_rule() {
    if (stage_.plan.locks && dice_.one_in(4)) return lock();
    if (stage_.plan.deadline_ms != 0 && dice_.one_in(3)) return stall(true);
    FaultRule rule;
    rule.range = stage_.some_range(dice_, 64);
    rule.error = media_error();
    if (stage_.plan.slow && dice_.one_in(3)) rule.delay = seconds(dice_.between(1, 10));
    switch (dice_.below(9)) {
      case 0:
      case 1:
      case 2:
        rule.kind = FaultKind::read_error;
        rule.writes = false;
        break;
      case 3:
      case 4:
      case 5:
        rule.kind = FaultKind::write_error;
        rule.reads = false;
        break;
      case 6:
        rule.kind = FaultKind::flaky;
        rule.probability = dice_.one_in(2) ? 0.1 : 0.6;
        break;
      case 7:
        if (!stage_.plan.slow) return;
        rule.kind = dice_.one_in(2) ? FaultKind::slow : FaultKind::hung;
        rule.delay = rule.kind == FaultKind::slow ? milliseconds(dice_.between(1, 7'000))
                                                  : milliseconds(dice_.between(20'000, 120'000));
        // Now and then for good, so that it is slow again when it is looked at.
        rule.shots = rule.kind == FaultKind::slow && !dice_.one_in(3) ? dice_.between(20, 200)
                                                                      : dice_.between(1, 3);
        if (rule.kind == FaultKind::hung && dice_.one_in(3)) rule.error = ETIMEDOUT;
        break;
      default:
        rule.kind = FaultKind::flush_error;
        rule.shots = dice_.between(1, 3);
        rule.lost_error = dice_.one_in(3) ? ENODATA : 0;
        break;
    }
    add(true, rule);
  }

  void spoil() {
    const SectorRange range = stage_.some_range(dice_, 16);
    stage_.bad_reads.add(range);
    stage_.say(fmt::format("spoiled {}+{}", range.first.value, range.count.value));
    stage_.main.spoil(range, media_error());
  }

  // Where the allocator is at present, mostly.
  SectorRange some_spare_data() {
    const Sector end{stage_.spare.geometry().size.value};
    SectorRange range{{dice_.below(end.value - 64)}, {dice_.between(1, 64)}};
    std::vector<SectorRange> used;
    for (const format::Extent& extent : stage_.engine->extents()) {
      if (extent.state() == format::State::remapped) used.push_back(extent.spare().sectors());
    }
    if (!used.empty() && !dice_.one_in(4)) {
      const SectorRange near = used[dice_.below(used.size())];
      range.first = near.first + SectorCount{dice_.below(near.count.value)};
    }
    for (const SectorRange& copy : stage_.reserved) {
      if (copy.overlaps(range)) range = {copy.end(), {8}};
    }
    if (range.end() > end) range = {Sector{end.value - 32}, {8}};
    return range;
  }

  void spare_data() {
    FaultRule rule;
    rule.range = some_spare_data();
    rule.error = media_error();
    for (const SectorRange& copy : stage_.reserved) {
      if (copy.overlaps(rule.range)) return;
    }
    if (stage_.plan.deadline_ms != 0 && dice_.one_in(3)) return stall(false);
    switch (dice_.below(5)) {
      case 0:
        rule.kind = FaultKind::read_error;
        break;
      case 1:
        rule.kind = FaultKind::write_error;
        break;
      case 2:
        rule.kind = FaultKind::flaky;
        rule.probability = 0.3;
        break;
      case 3:
        rule.kind = FaultKind::slow;
        rule.delay = milliseconds(dice_.between(1, 50));
        // So that reads last while mappings change.
        if (dice_.one_in(2)) {
          rule.range = {{0}, stage_.spare.geometry().size};
          rule.writes = false;
          rule.shots = dice_.between(1, 30);
        }
        break;
      default:
        stage_.spare.spoil(rule.range, stage_.plan.spare_medium_error);
        stage_.spare_spoiled = true;
        ++stage_.spare_changes;
        return;
    }
    add(false, rule);
  }

  void spare_metadata() {
    if (dice_.one_in(20)) {
      // A drive that loses what it took, and says so: the end of all commits of this life.
      FaultRule rule;
      rule.kind = FaultKind::flush_error;
      rule.range = {{0}, stage_.spare.geometry().size};
      rule.shots = 1;
      return add(false, rule);
    }
    if (stage_.plan.bad_copies.empty()) return;
    const auto& bad = stage_.plan.bad_copies;
    const SectorRange copy = stage_.reserved.at(bad.at(dice_.below(bad.size())));
    FaultRule rule;
    rule.range = {copy.first + SectorCount{dice_.below(copy.count.value)}, {dice_.between(1, 512)}};
    rule.range = rule.range.intersect(copy);
    if (dice_.one_in(2)) rule.range = copy;
    rule.error = media_error();
    constexpr std::array kKinds{FaultKind::read_error,    FaultKind::write_error,
                                FaultKind::dropped_write, FaultKind::misdirected_write,
                                FaultKind::flipped_write, FaultKind::until_written};
    rule.kind = kKinds.at(dice_.below(kKinds.size()));
    if (rule.kind == FaultKind::until_written) {
      stage_.spare.spoil(rule.range, rule.error);
      stage_.spare_spoiled = true;
      ++stage_.spare_changes;
      return;
    }
    if (rule.kind == FaultKind::misdirected_write) rule.targets = {copy};
    if (dice_.one_in(2)) rule.shots = dice_.between(1, 4);
    add(false, rule);
  }

  // The process is stopped, or the machine asleep: no thread runs, and the disks go on.
  void stand_still() {
    const auto duration = seconds(dice_.between(2, 200));
    stage_.say(fmt::format("all stands still for {} s", duration.count()));
    stage_.stood_still_ns += static_cast<std::uint64_t>(std::chrono::nanoseconds(duration).count());
    stage_.world.stand_still(duration);
  }

  void unplug() {
    const int error = dice_.one_in(2) ? ENODEV : EIO;
    if (dice_.one_in(4)) return unplug_spare(error);
    stage_.say(fmt::format("main is unplugged, errno {}", error));
    stage_.unplug_main(error);
    stage_.world.sleep(milliseconds(dice_.between(1, 4'000)));
    if (stage_.crashed()) return;
    if (dice_.one_in(2)) {
      stage_.show_other(dice_.one_in(4));
      stage_.world.sleep(milliseconds(dice_.between(1, 6'000)));
      if (stage_.crashed()) return;
      stage_.hide_other();
    }
    const bool forgot = dice_.one_in(2);
    stage_.main.replug(forgot);
    stage_.say(forgot ? "main is back, without what it had in its cache" : "main is back");
    if (forgot) stage_.checker.lose_unflushed(stage_.any_lost());
  }

  // Mostly it comes back, under another handle; and before that, now and then, a copy of it.
  void unplug_spare(int error) {
    if (!stage_.spare.plugged()) return;
    std::vector<std::byte> copy;
    if (dice_.one_in(2)) {
      copy.assign(stage_.spare.contents().begin(), stage_.spare.contents().end());
      stage_.world.sleep(milliseconds(dice_.between(1, 500)));
      if (stage_.crashed()) return;
    }
    stage_.say("the spare is unplugged");
    stage_.unplug_spare(error);
    stage_.world.sleep(milliseconds(dice_.between(1, 4'000)));
    if (stage_.crashed()) return;
    if (!copy.empty() && stage_.spare_finder.show_copy(copy)) {
      stage_.world.sleep(milliseconds(dice_.between(1, 6'000)));
      if (stage_.crashed()) return;
    }
    if (dice_.one_in(4)) return;
    // While it is there again, the copy may still be there.
    if (dice_.one_in(2)) stage_.spare_finder.hide_copy();
    const bool forgot = dice_.one_in(2);
    stage_.spare.replug(forgot);
    stage_.say(forgot ? "the spare is back, without what it had in its cache"
                      : "the spare is back");
    if (forgot) stage_.checker.lose_unflushed(stage_.any_lost());
  }

  Stage& stage_;
  Dice dice_;
  std::deque<InForce> rules_;
};

}  // namespace

void weather(Stage& stage, Dice dice) {
  stage.world.name_thread("weather");
  Weather(stage, dice).blow();
}

}  // namespace dmremap::sim
