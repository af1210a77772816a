// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig/scan_bed.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <optional>

#include "health/pace.hpp"
#include "health/scan_order.hpp"
#include "sim/dice.hpp"

namespace dmremap::rig {
namespace {

using health::Foreground;

// So long a drive has what follows in its buffer.
constexpr double kReadAheadMs = 100;
constexpr double kNever = std::numeric_limits<double>::infinity();

// In (0, 1), from a place in a stream: the same whenever it is asked for.
double uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  sim::Dice dice(seed * 0x9E3779B97F4A7C15U + stream * 0xD1B54A32D192ED03U + index);
  dice.next();
  return (static_cast<double>(dice.next() >> 11U) + 0.5) / 9007199254740992.0;
}

enum Stream : std::uint64_t { kAddress, kRotation, kBurst, kIdle, kScanRotation };

struct Request {
  bool scan = false;
  std::uint64_t first = 0;
  std::uint64_t sectors = 0;
  double arrived_ms = 0;
  double rotation = 0;  // of a revolution
};

class Bed {
 public:
  Bed(const ArmDisk& disk, const Workload& load, Scanner scanner, std::uint64_t seed)
      : disk_(disk),
        load_(load),
        scanner_(scanner),
        seed_(seed),
        order_(health::decode_scan_record({}, disk.size)),
        pace_({}, 0) {}

  BedResult run(double seconds);

 private:
  void start_burst();
  void issue();
  void serve();
  void complete();
  void step_scanner();
  void stream_on();
  void begin_scan_read(SectorCount most);
  [[nodiscard]] std::size_t choose() const;
  [[nodiscard]] Foreground foreground() const {
    return {requests_ + in_flight_, in_flight_, static_cast<std::uint64_t>(latency_ms_ * 1e6)};
  }
  [[nodiscard]] std::uint64_t now_ns() const { return static_cast<std::uint64_t>(now_ms_ * 1e6); }

  ArmDisk disk_;
  Workload load_;
  Scanner scanner_;
  std::uint64_t seed_;
  health::ScanOrder order_;
  health::Pace pace_;

  double now_ms_ = 0;
  std::deque<Request> queue_;
  std::optional<Request> served_;
  double served_until_ms_ = kNever;
  std::uint64_t head_ = 0;   // where the last request ended,
  double served_at_ms_ = 0;  // and when

  double burst_at_ms_ = kNever;
  std::uint64_t bursts_ = 0;
  std::uint64_t left_in_burst_ = 0;
  std::uint64_t issued_ = 0;
  std::uint64_t in_flight_ = 0;
  std::uint64_t requests_ = 0;  // finished
  double latency_ms_ = 0;
  std::vector<float> latencies_ms_;

  double ask_at_ms_ = kNever;
  std::uint64_t scan_reads_ = 0;
  std::uint64_t scan_sectors_ = 0;
  double scan_busy_ms_ = 0;
  double spread_until_ms_ = 0;
};

void Bed::start_burst() {
  burst_at_ms_ = kNever;
  const double length = -std::log(uniform(seed_, kBurst, bursts_)) * load_.burst;
  left_in_burst_ = load_.burst == 0 ? std::numeric_limits<std::uint64_t>::max()
                                    : 1 + static_cast<std::uint64_t>(length);
  ++bursts_;
  for (unsigned i = 0; i < load_.depth; ++i) issue();
}

void Bed::issue() {
  if (left_in_burst_ == 0) {
    if (in_flight_ == 0 && burst_at_ms_ == kNever) {
      burst_at_ms_ = now_ms_ - std::log(uniform(seed_, kIdle, bursts_)) * load_.idle_s * 1000;
    }
    return;
  }
  --left_in_burst_;
  const std::uint64_t places = disk_.size.value / load_.request.value;
  const auto place = load_.sequential
                         ? issued_ % places
                         : static_cast<std::uint64_t>(uniform(seed_, kAddress, issued_) *
                                                      static_cast<double>(places - 1));
  queue_.push_back({false, place * load_.request.value, load_.request.value, now_ms_,
                    uniform(seed_, kRotation, issued_)});
  ++issued_;
  ++in_flight_;
}

std::size_t Bed::choose() const {
  if (!disk_.prefers_streams || now_ms_ - queue_.front().arrived_ms > 2000) return 0;
  const auto next =
      std::ranges::find_if(queue_, [this](const Request& it) { return it.first == head_; });
  return next == queue_.end() ? 0 : static_cast<std::size_t>(next - queue_.begin());
}

void Bed::serve() {
  if (served_ || queue_.empty()) return;
  const std::size_t index = choose();
  served_ = queue_[index];
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(index));
  double took_ms = static_cast<double>(served_->sectors * kSectorBytes) / disk_.mb_per_s / 1000;
  const bool follows = served_->first == head_;
  const bool streams = follows && now_ms_ - served_at_ms_ <= kReadAheadMs;
  if (!streams) took_ms += served_->rotation * disk_.revolution_ms;
  if (!follows) {
    const auto distance =
        std::abs(static_cast<double>(served_->first) - static_cast<double>(head_));
    took_ms += disk_.seek_min_ms + (disk_.seek_max_ms - disk_.seek_min_ms) *
                                       std::sqrt(distance / static_cast<double>(disk_.size.value));
  }
  if (served_->scan) scan_busy_ms_ += took_ms;
  if (served_->scan) spread_until_ms_ = now_ms_ + 50 * took_ms;
  head_ = served_->first + served_->sectors;
  served_until_ms_ = now_ms_ + took_ms;
}

void Bed::complete() {
  const Request done = *served_;
  served_.reset();
  served_until_ms_ = kNever;
  served_at_ms_ = now_ms_;
  if (done.scan) {
    scan_sectors_ += done.sectors;
    if (scanner_ == Scanner::reckless) return stream_on();
    order_.finished(health::ScanResult::good);
    pace_.finished(now_ns(), foreground(), done.sectors * kSectorBytes);
    ask_at_ms_ = now_ms_;
    return;
  }
  const double took_ms = now_ms_ - done.arrived_ms;
  latencies_ms_.push_back(static_cast<float>(took_ms));
  latency_ms_ += took_ms;
  ++requests_;
  --in_flight_;
  issue();
}

void Bed::begin_scan_read(SectorCount most) {
  const auto piece = order_.next(most);
  if (!piece) {
    ask_at_ms_ = now_ms_ + 1000;
    return;
  }
  pace_.begun(now_ns(), foreground());
  ask_at_ms_ = kNever;
  queue_.push_back({true, piece->sectors.first.value, piece->sectors.count.value, now_ms_,
                    uniform(seed_, kScanRotation, scan_reads_++)});
}

void Bed::stream_on() {
  const std::uint64_t sectors = health::kScanPiece.value;
  queue_.push_back(
      {true, scan_reads_ * sectors, sectors, now_ms_, uniform(seed_, kScanRotation, scan_reads_)});
  ++scan_reads_;
}

void Bed::step_scanner() {
  if (scanner_ == Scanner::spread) {
    if (now_ms_ >= spread_until_ms_) return begin_scan_read(health::kScanPiece);
    ask_at_ms_ = spread_until_ms_;
    return;
  }
  const health::PaceDecision decision = pace_.ask(
      {.now_ns = now_ns(), .foreground = foreground(), .overdue = scanner_ == Scanner::overdue});
  if (decision.read) return begin_scan_read(decision.most);
  // A microsecond more, so that rounding never asks too early.
  ask_at_ms_ = std::max(static_cast<double>(decision.until_ns) / 1e6, now_ms_) + 0.001;
}

BedResult Bed::run(double seconds) {
  start_burst();
  if (scanner_ == Scanner::reckless) {
    stream_on();
    stream_on();
  } else if (scanner_ != Scanner::none) {
    ask_at_ms_ = 0;
  }
  while (true) {
    serve();
    const double next = std::min({served_until_ms_, burst_at_ms_, ask_at_ms_});
    if (next > seconds * 1000) break;
    now_ms_ = next;
    if (served_until_ms_ == next) {
      complete();
    } else if (burst_at_ms_ == next) {
      start_burst();
    } else {
      step_scanner();
    }
  }
  BedResult result;
  result.requests = requests_;
  if (latencies_ms_.empty()) return result;
  result.mean_ms = latency_ms_ / static_cast<double>(requests_);
  const auto p99 =
      latencies_ms_.begin() + static_cast<std::ptrdiff_t>(latencies_ms_.size() * 99 / 100);
  std::nth_element(latencies_ms_.begin(), p99, latencies_ms_.end());
  result.p99_ms = static_cast<double>(*p99);
  result.worst_ms = static_cast<double>(*std::max_element(p99, latencies_ms_.end()));
  result.collisions = pace_.collisions();
  result.scanned_mib =
      static_cast<double>(scan_sectors_ * kSectorBytes) / static_cast<double>(kMiB);
  result.device_share = scan_busy_ms_ / (seconds * 1000);
  return result;
}

PairedChange change_of(const std::vector<double>& ratios) {
  const auto n = static_cast<double>(ratios.size());
  double sum = 0;
  for (const double ratio : ratios) sum += ratio;
  const double mean = sum / n;
  double squares = 0;
  for (const double ratio : ratios) squares += (ratio - mean) * (ratio - mean);
  // Student's t of 19 degrees of freedom and more is at most 2.093.
  const double half = 2.093 * std::sqrt(squares / (n - 1) / n);
  return {(mean - 1) * 100, (mean - half - 1) * 100, (mean + half - 1) * 100};
}

}  // namespace

BedResult run_bed(const ArmDisk& disk, const Workload& load, Scanner scanner, double seconds,
                  std::uint64_t seed) {
  return Bed(disk, load, scanner, seed).run(seconds);
}

BedComparison compare_beds(const ArmDisk& disk, const Workload& load, Scanner scanner,
                           double seconds, unsigned pairs) {
  BedComparison result;
  std::vector<double> means;
  std::vector<double> p99s;
  double requests = 0;
  double collisions = 0;
  for (unsigned pair = 1; pair <= pairs; ++pair) {
    const BedResult alone = run_bed(disk, load, Scanner::none, seconds, pair);
    const BedResult scanned = run_bed(disk, load, scanner, seconds, pair);
    means.push_back(scanned.mean_ms / alone.mean_ms);
    p99s.push_back(scanned.p99_ms / alone.p99_ms);
    result.worst_ms = std::max(result.worst_ms, scanned.worst_ms);
    result.worst_alone_ms = std::max(result.worst_alone_ms, alone.worst_ms);
    result.scanned_mib_per_h += scanned.scanned_mib * 3600 / seconds / pairs;
    result.device_share += scanned.device_share / pairs;
    requests += static_cast<double>(scanned.requests);
    collisions += static_cast<double>(scanned.collisions);
  }
  result.mean = change_of(means);
  result.p99 = change_of(p99s);
  result.collisions_percent = 100 * collisions / requests;
  return result;
}

}  // namespace dmremap::rig
