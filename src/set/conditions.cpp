// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/conditions.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/io_status.hpp"

namespace dmremap::set {

namespace {

constexpr std::uint64_t kSpareLowPercent = 80;
constexpr std::uint64_t kTableLowPercent = 90;

// The conditions that are states of the set too, from the worst to the least.
constexpr std::array kStates{Condition::stopped, Condition::tripped, Condition::read_only,
                             Condition::degraded};

class Collector {
 public:
  void add_if(bool holds, Condition condition, std::string text) {
    if (holds) reports_.push_back({condition, std::move(text)});
  }
  std::vector<ConditionReport> sorted() {
    std::ranges::sort(reports_, {}, &ConditionReport::condition);
    return std::move(reports_);
  }

 private:
  std::vector<ConditionReport> reports_;
};

// Rounded down, so that 100 % means that nothing is left.
std::uint64_t percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : part * 100 / whole;
}

void add_devices(Collector& out, const Observations& seen) {
  const remap::Conditions& engine = seen.engine;
  out.add_if(engine.tripped, Condition::tripped, engine.trip_reason);
  const bool vanished = engine.trip_error == ENODEV || engine.trip_error == ENXIO;
  const std::string& absence =
      seen.main_absence.empty() ? engine.devices.main_absence : seen.main_absence;
  out.add_if(!absence.empty() || (engine.tripped && vanished), Condition::main_missing,
             absence.empty() ? "main does not answer" : absence);
  out.add_if(engine.main_read_only, Condition::main_read_only,
             "main takes no writes: what is written anew goes to the spare while there is room");
  std::string resized = engine.devices.main_resize;
  if (!resized.empty() && !engine.devices.spare_resize.empty()) resized += ", ";
  resized += engine.devices.spare_resize;
  out.add_if(!resized.empty(), Condition::device_resized, resized);
  out.add_if(engine.spare == remap::SpareState::away, Condition::spare_away, engine.spare_reason);
  out.add_if(engine.spare == remap::SpareState::refuses, Condition::spare_refuses,
             engine.spare_reason);
}

void add_damage(Collector& out, const Observations& seen) {
  std::vector<std::string> damage;
  if (!seen.engine.contents_changed.empty()) damage.push_back(seen.engine.contents_changed);
  if (const std::size_t overdue = seen.engine.overdue; overdue > 0) {
    damage.push_back(fmt::format("{} request{} given up, and a device has not answered", overdue,
                                 overdue == 1 ? " was" : "s were"));
  }
  if (!seen.export_trouble.empty()) damage.push_back(seen.export_trouble);
  if (seen.copies.good < seen.copies.total) {
    damage.push_back(fmt::format("{} of {} metadata copies do not hold the latest commit",
                                 seen.copies.total - seen.copies.good, seen.copies.total));
  }
  out.add_if(!damage.empty(), Condition::degraded, fmt::format("{}", fmt::join(damage, "; ")));
}

void add_room(Collector& out, const Observations& seen) {
  const remap::TableCounts& table = seen.table;
  const bool spare_full =
      seen.engine.spare_full || (table.spare_capacity > 0 && table.spare_free == 0);
  const std::uint64_t spare_used =
      percent(table.spare_capacity - table.spare_free, table.spare_capacity);
  out.add_if(spare_full, Condition::spare_full, "no spare sector is left");
  out.add_if(!spare_full && spare_used >= kSpareLowPercent, Condition::spare_low,
             fmt::format("{} % of the spare is used", spare_used));

  const bool table_full =
      seen.engine.table_full || (table.entry_capacity > 0 && table.entries >= table.entry_capacity);
  const std::uint64_t entries_used = percent(table.entries, table.entry_capacity);
  out.add_if(table_full, Condition::table_full, "the table is full");
  out.add_if(!table_full && entries_used >= kTableLowPercent, Condition::table_low,
             fmt::format("{} of {} table entries are used", table.entries, table.entry_capacity));
}

}  // namespace

std::string_view name_of(Condition condition) {
  switch (condition) {
    case Condition::stopped:
      return "stopped";
    case Condition::tripped:
      return "tripped";
    case Condition::read_only:
      return "read-only";
    case Condition::degraded:
      return "degraded";
    case Condition::died:
      return "died";
    case Condition::main_missing:
      return "main-missing";
    case Condition::main_read_only:
      return "main-read-only";
    case Condition::device_resized:
      return "device-resized";
    case Condition::spare_away:
      return "spare-away";
    case Condition::spare_refuses:
      return "spare-refuses";
    case Condition::data_lost:
      return "data-lost";
    case Condition::spare_full:
      return "spare-full";
    case Condition::table_full:
      return "table-full";
    case Condition::spare_low:
      return "spare-low";
    case Condition::table_low:
      return "table-low";
  }
  return "unknown";
}

std::vector<ConditionReport> conditions_of(const Observations& seen) {
  Collector out;
  out.add_if(!seen.running, Condition::stopped, "");
  out.add_if(!seen.death.empty(), Condition::died, seen.death);
  out.add_if(seen.engine.read_only, Condition::read_only, seen.engine.read_only_reason);
  add_damage(out, seen);
  const std::uint64_t lost = seen.table.lost + seen.table.gone;
  out.add_if(lost > 0, Condition::data_lost,
             fmt::format("{} sector{} lost or gone", lost, lost == 1 ? " is" : "s are"));
  add_devices(out, seen);
  add_room(out, seen);
  return out.sorted();
}

std::string_view state_of(const std::vector<ConditionReport>& conditions) {
  for (const Condition state : kStates) {
    if (std::ranges::find(conditions, state, &ConditionReport::condition) != conditions.end()) {
      return name_of(state);
    }
  }
  return conditions.empty() ? "healthy" : name_of(Condition::degraded);
}

bool needs_attention(const std::vector<ConditionReport>& conditions) {
  return std::ranges::any_of(conditions, [](const ConditionReport& report) {
    return report.condition != Condition::stopped;
  });
}

}  // namespace dmremap::set
