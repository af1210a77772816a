// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig/scan_faults.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>
#include <unordered_map>

#include "health/scan_order.hpp"

namespace dmremap::rig {
namespace {

constexpr double kTroubleDays = static_cast<double>(health::kTroubleS) / health::kDayS;
constexpr double kFreshTroubleDays = static_cast<double>(health::kFreshTroubleS) / health::kDayS;
constexpr double kMinuteDays = 1.0 / (24 * 60);
// 10 MB, about as many segments.
constexpr double kNearSegments = 10e6 / 1048576;

double uniform(sim::Dice& dice) {
  return (static_cast<double>(dice.next() >> 11U) + 0.5) / 9007199254740992.0;
}

// Segments between a place and one close to it: from a sector to 10 MB.
double near_distance(const FaultModel& model, sim::Dice& dice) {
  const double most = kNearSegments * 2048;
  const double sectors = model.even ? most * uniform(dice) : std::pow(most, uniform(dice));
  return (dice.one_in(2) ? sectors : -sectors) / 2048;
}

struct Reader {
  const FaultModel& model;
  const FaultScanner& scanner;

  // At which part of a pass a segment is read, from 0 to 1.
  [[nodiscard]] double part_of(std::uint32_t segment) const {
    if (scanner.order == ReadOrder::sequential) {
      return static_cast<double>(segment) / model.segments;
    }
    const std::uint32_t regions =
        (model.segments + health::kSegmentsPerRegion - 1) / health::kSegmentsPerRegion;
    const std::uint32_t index = segment % health::kSegmentsPerRegion;
    const std::uint32_t turn =
        scanner.order == ReadOrder::scan_layout ? health::turn_of(index) : index;
    const std::uint64_t step = std::uint64_t{turn} * regions + segment / health::kSegmentsPerRegion;
    return static_cast<double>(step) / (static_cast<double>(regions) * health::kSegmentsPerRegion);
  }
};

// One disk under the scanner. Position counts passes, with their part.
class Watch {
 public:
  Watch(const std::vector<Fault>& faults, const FaultModel& model, const FaultScanner& scanner)
      : faults_(faults), model_(model), scanner_(scanner), reader_{model_, scanner_} {}

  Detection run();

 private:
  struct Due {
    double position;
    std::size_t fault;
    bool operator>(const Due& other) const { return position > other.position; }
  };
  struct Place {
    double due_day = 0;
    std::uint8_t rechecks = 0;
  };

  void arrive(std::size_t fault);
  void find(std::size_t fault);
  void read_around(std::uint32_t segment);
  void recheck(std::uint32_t segment);
  void move_to(double day);
  // Passes a day, and the day on which that changes.
  [[nodiscard]] double rate() const {
    if (!scanner_.alert || day_ >= trouble_day_ + kTroubleDays) return 1 / scanner_.pass_days;
    const bool fresh = day_ < trouble_day_ + kFreshTroubleDays;
    return (fresh ? health::kFreshTroubleRate : health::kTroubleRate) / scanner_.pass_days;
  }
  [[nodiscard]] double rate_changes() const {
    if (!scanner_.alert || day_ >= trouble_day_ + kTroubleDays) return HUGE_VAL;
    const double fresh_until = trouble_day_ + kFreshTroubleDays;
    return day_ < fresh_until ? fresh_until : trouble_day_ + kTroubleDays;
  }
  [[nodiscard]] double pass() const { return std::floor(position_); }
  [[nodiscard]] bool read_in_pass(std::uint32_t segment, double pass) const {
    const auto it = read_around_.find(segment);
    return it != read_around_.end() && it->second == pass;
  }

  const std::vector<Fault>& faults_;
  const FaultModel& model_;
  const FaultScanner& scanner_;
  Reader reader_;

  double day_ = 0;
  double position_ = 0;
  double trouble_day_ = -HUGE_VAL;
  double extra_segments_ = 0;
  double passes_at_end_ = -1;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::multimap<std::uint32_t, std::size_t> hidden_;       // faults not found, by segment
  std::unordered_map<std::uint32_t, double> read_around_;  // in which pass
  std::map<std::uint32_t, Place> places_;
  std::vector<double> delays_;
};

void Watch::move_to(double day) {
  position_ += (day - day_) * rate();
  day_ = day;
}

void Watch::arrive(std::size_t fault) {
  const std::uint32_t segment = faults_[fault].segment;
  const double part = reader_.part_of(segment);
  double next = pass() + part;
  if (next < position_) next += 1;
  due_.push({next, fault});
  hidden_.emplace(segment, fault);
}

void Watch::find(std::size_t first) {
  // Reading on around what is found may find more, which is read around in turn.
  std::vector<std::uint32_t> found{faults_[first].segment};
  while (!found.empty()) {
    const std::uint32_t segment = found.back();
    found.pop_back();
    for (auto [it, end] = hidden_.equal_range(segment); it != end; ++it) {
      delays_[it->second] = day_ - faults_[it->second].day;
    }
    hidden_.erase(segment);
    trouble_day_ = day_;
    const bool listed = places_.contains(segment);
    const bool room = places_.size() < health::kRecheckPlacesMax;
    if (!listed && !room) {
      places_.erase(
          std::ranges::max_element(places_, {}, [](const auto& it) { return it.second.rechecks; }));
    }
    places_[segment] = {day_ + static_cast<double>(health::recheck_interval_s(0)) / health::kDayS,
                        0};
    if (listed || !room || !scanner_.surroundings) continue;
    read_around_[segment] = pass();
    const std::uint32_t low = segment - std::min(segment, health::kSurroundingSegments);
    const std::uint32_t high =
        std::min(segment + health::kSurroundingSegments, model_.segments - 1);
    for (std::uint32_t at = low; at <= high; ++at) {
      if (read_in_pass(at, pass())) continue;
      read_around_[at] = pass();
      // If the pass was to come to it, it need not any more.
      if (reader_.part_of(at) < position_ - pass()) extra_segments_ += 1;
      if (hidden_.contains(at)) found.push_back(at);
    }
  }
}

void Watch::recheck(std::uint32_t segment) {
  extra_segments_ += 1;
  const auto it = hidden_.find(segment);
  if (it != hidden_.end()) return find(it->second);
  Place& place = places_[segment];
  ++place.rechecks;
  place.due_day += static_cast<double>(health::recheck_interval_s(place.rechecks)) / health::kDayS;
  if (place.rechecks >= health::kRechecksMax) places_.erase(segment);
}

Detection Watch::run() {
  delays_.assign(faults_.size(), 0);
  std::size_t next_fault = 0;
  while (true) {
    const double changes = rate_changes();
    const double arrival = next_fault < faults_.size() ? faults_[next_fault].day : HUGE_VAL;
    const double read = due_.empty() ? HUGE_VAL : day_ + (due_.top().position - position_) / rate();
    const auto place =
        std::ranges::min_element(places_, {}, [](const auto& it) { return it.second.due_day; });
    const double check =
        scanner_.rechecks && place != places_.end() ? place->second.due_day : HUGE_VAL;
    const double end = passes_at_end_ < 0 ? model_.days : HUGE_VAL;
    const double next = std::min({changes, arrival, read, check, end});
    if (hidden_.empty() && next_fault == faults_.size() && passes_at_end_ >= 0) break;
    move_to(std::max(next, day_));
    if (next == end) {
      passes_at_end_ = position_ + extra_segments_ / model_.segments;
    } else if (next == arrival) {
      arrive(next_fault++);
    } else if (next == read) {
      const Due due = due_.top();
      due_.pop();
      position_ = due.position;
      const std::uint32_t segment = faults_[due.fault].segment;
      const auto [first, last] = hidden_.equal_range(segment);
      const bool hidden =
          std::any_of(first, last, [&](const auto& it) { return it.second == due.fault; });
      if (!hidden) continue;
      if (read_in_pass(segment, pass())) {
        due_.push({due.position + 1, due.fault});
      } else {
        find(due.fault);
      }
    } else if (next == check) {
      recheck(place->first);
    }
  }
  return {delays_, passes_at_end_};
}

}  // namespace

std::vector<Fault> faulty_disk(const FaultModel& model, sim::Dice& dice) {
  const double count = std::min(std::pow(uniform(dice), -1 / model.tail), model.most);
  const double gap_days = model.gap_days / (1 + count / 20);
  std::vector<Fault> faults;
  std::vector<double> places;
  double day = uniform(dice) * model.days;
  for (double i = 0; i < std::floor(count) && day < model.days; ++i) {
    double place = uniform(dice) * (model.segments - 1);
    if (!places.empty() && dice.chance(model.near)) {
      place = places[dice.below(places.size())] + near_distance(model, dice);
      place = std::clamp(place, 0.0, static_cast<double>(model.segments - 1));
    }
    places.push_back(place);
    faults.push_back({day, static_cast<std::uint32_t>(place)});
    day += dice.chance(model.within_minute) ? uniform(dice) * kMinuteDays
                                            : -std::log(uniform(dice)) * gap_days;
  }
  return faults;
}

FaultFacts facts_of(const std::vector<std::vector<Fault>>& disks) {
  FaultFacts facts;
  double near = 0;
  double quick = 0;
  double gaps = 0;
  double errors = 0;
  for (const std::vector<Fault>& faults : disks) {
    facts.disks_below_50 += faults.size() < 50 ? 1 : 0;
    facts.more_within_a_month += faults.size() > 1 && faults[1].day - faults[0].day < 30 ? 1 : 0;
    errors += static_cast<double>(faults.size());
    std::vector<std::uint32_t> places;
    places.reserve(faults.size());
    for (const Fault& fault : faults) places.push_back(fault.segment);
    std::ranges::sort(places);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const bool before = i > 0 && places[i] - places[i - 1] < kNearSegments;
      const bool after = i + 1 < places.size() && places[i + 1] - places[i] < kNearSegments;
      near += before || after ? 1 : 0;
    }
    for (std::size_t i = 1; i < faults.size(); ++i) {
      quick += faults[i].day - faults[i - 1].day <= kMinuteDays ? 1 : 0;
      gaps += 1;
    }
  }
  const auto count = static_cast<double>(disks.size());
  facts.disks_below_50 /= count;
  facts.more_within_a_month /= count;
  facts.another_within_10_mb = near / errors;
  facts.within_a_minute = quick / gaps;
  facts.errors_a_disk = errors / count;
  return facts;
}

Detection detect(const std::vector<Fault>& faults, const FaultModel& model,
                 const FaultScanner& scanner) {
  return Watch(faults, model, scanner).run();
}

DetectionRatio compare_detection(const std::vector<std::vector<Fault>>& disks,
                                 const FaultModel& model, const FaultScanner& scanner) {
  DetectionRatio ratio;
  double errors = 0;
  double by_disk = 0;
  double sequential_by_disk = 0;
  const auto sum = [](const Detection& it) {
    double days = 0;
    for (const double delay : it.delays_days) days += delay;
    return days;
  };
  for (const std::vector<Fault>& faults : disks) {
    const Detection found = detect(faults, model, scanner);
    const FaultScanner sequential{ReadOrder::sequential, model.days / found.passes, false, false,
                                  false};
    const double days = sum(found);
    const double sequential_days = sum(detect(faults, model, sequential));
    const auto count = static_cast<double>(faults.size());
    ratio.mean_days += days;
    ratio.sequential_mean_days += sequential_days;
    by_disk += days / count;
    sequential_by_disk += sequential_days / count;
    errors += count;
    ratio.passes += found.passes / static_cast<double>(disks.size());
  }
  ratio.by_error = ratio.sequential_mean_days / ratio.mean_days;
  ratio.by_disk = sequential_by_disk / by_disk;
  ratio.mean_days /= errors;
  ratio.sequential_mean_days /= errors;
  return ratio;
}

}  // namespace dmremap::rig
