// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/faults.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace dmremap::sim {

namespace {

bool concerns(const FaultRule& rule, Operation operation) {
  switch (rule.kind) {
    case FaultKind::read_error:
      return operation == Operation::read;
    case FaultKind::flaky:
    case FaultKind::slow:
    case FaultKind::hung:
      if (operation == Operation::flush) return rule.flushes;
      return operation == Operation::read ? rule.reads : rule.writes;
    default:
      return operation == Operation::write;
  }
}

bool is_rule(FaultKind kind) {
  switch (kind) {
    case FaultKind::until_written:
    case FaultKind::torn_write:
    case FaultKind::unflushed_lost:
    case FaultKind::gone:
    case FaultKind::unsupported:
      return false;
    default:
      return true;
  }
}

SectorRange landing(const FaultRule& rule, SectorRange range, SectorCount unit, Dice& dice) {
  const SectorRange target = rule.targets[dice.below(rule.targets.size())];
  const std::uint64_t spare =
      target.count > range.count ? (target.count - range.count).value / unit.value : 0;
  const Sector first = target.first + SectorCount{dice.between(0, spare) * unit.value};
  return {first, std::min(range.count, target.end() - first)};
}

}  // namespace

std::string_view name_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::read_error:
      return "read error";
    case FaultKind::write_error:
      return "write error";
    case FaultKind::until_written:
      return "until written";
    case FaultKind::flaky:
      return "flaky";
    case FaultKind::slow:
      return "slow";
    case FaultKind::hung:
      return "hung";
    case FaultKind::torn_write:
      return "torn write";
    case FaultKind::unflushed_lost:
      return "unflushed lost";
    case FaultKind::flush_error:
      return "error only at flush";
    case FaultKind::gone:
      return "gone";
    case FaultKind::dropped_write:
      return "dropped write";
    case FaultKind::misdirected_write:
      return "misdirected write";
    case FaultKind::flipped_write:
      return "bit-flipped write";
    case FaultKind::unsupported:
      return "unsupported";
  }
  return "?";
}

FaultCounts& FaultCounts::operator+=(const FaultCounts& other) {
  for (std::size_t i = 0; i < kFaultKinds; ++i) of_[i] += other.of_[i];
  return *this;
}

std::size_t Faults::add(FaultRule rule) {
  DMREMAP_ASSERT(is_rule(rule.kind));
  DMREMAP_ASSERT(rule.kind != FaultKind::misdirected_write || !rule.targets.empty());
  rules_.push_back({next_id_, std::move(rule)});
  return next_id_++;
}

void Faults::remove(std::size_t id) {
  std::erase_if(rules_, [id](const Numbered& each) { return each.id == id; });
}

void Faults::clear() {
  rules_.clear();
}

std::vector<FaultRule> Faults::rules() const {
  std::vector<FaultRule> out;
  for (const Numbered& each : rules_) out.push_back(each.rule);
  return out;
}

Fate Faults::judge(Operation operation, SectorRange range, SectorCount unit, Dice& dice) {
  Fate fate;
  for (auto& [id, rule] : rules_) {
    if (rule.shots == 0 || !concerns(rule, operation)) continue;
    if (operation != Operation::flush && !rule.range.overlaps(range)) continue;
    if (fate.error != 0 && rule.kind != FaultKind::slow) continue;
    if (rule.probability < 1 && !dice.chance(rule.probability)) continue;
    --rule.shots;
    if (rule.kind != FaultKind::flush_error) counts_.fired(rule.kind);
    apply(rule, range, unit, dice, fate);
  }
  return fate;
}

void Faults::apply(const FaultRule& rule, SectorRange range, SectorCount unit, Dice& dice,
                   Fate& fate) {
  fate.delay += rule.delay;
  switch (rule.kind) {
    case FaultKind::slow:
      break;
    case FaultKind::dropped_write:
      fate.dropped = true;
      break;
    case FaultKind::misdirected_write:
      fate.elsewhere = landing(rule, range, unit, dice);
      break;
    case FaultKind::flipped_write: {
      const SectorRange common = range.intersect(rule.range);
      fate.flipped_bit =
          (common.first - range.first).bytes() * 8 + dice.below(common.count.bytes() * 8);
      break;
    }
    case FaultKind::flush_error:
      fate.lost_later = rule.error;
      fate.lost_error = rule.lost_error;
      break;
    case FaultKind::write_error:
      fate.untouched = rule.range;
      [[fallthrough]];
    default:
      fate.error = rule.error;
      break;
  }
}

}  // namespace dmremap::sim
