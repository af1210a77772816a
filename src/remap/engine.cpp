// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <tuple>
#include <utility>

#include "base/assert.hpp"
#include "metadata/store.hpp"
#include "remap/content_check.hpp"
#include "remap/device/rearm.hpp"
#include "remap/device/spare_return.hpp"
#include "remap/device/spare_watch.hpp"
#include "remap/evidence/evidence_sampler.hpp"
#include "remap/request/flush_path.hpp"
#include "remap/request/read_path.hpp"
#include "remap/request/request_queue.hpp"
#include "remap/request/request_timer.hpp"
#include "remap/request/write_path.hpp"
#include "remap/task/backfill.hpp"
#include "remap/task/marking.hpp"
#include "remap/task/metadata_check.hpp"
#include "remap/task/range_scan.hpp"
#include "remap/task/relocator.hpp"
#include "remap/task/unremap.hpp"

namespace dmremap::remap {

namespace {

// Longer than a disk takes to give up on a write.
constexpr std::chrono::seconds kSettlePatience{30};

class RunningEngine final : public Engine {
 public:
  RunningEngine(const EngineParts& parts, const format::Content& content, const table::Table& table,
                std::vector<table::Allocator> allocators)
      : path_(parts, content, table, std::move(allocators)),
        remapper_(parts.store == nullptr
                      ? nullptr
                      : std::make_unique<Remapper>(path_, *parts.store, table, content)),
        recovery_(path_, remapper_.get()),
        retries_(path_, recovery_),
        read_(path_, retries_),
        write_(path_, remapper_.get()),
        flush_(path_, recovery_),
        queue_(*this, path_, read_, write_),
        timeouts_(path_) {
    if (remapper_) {
      relocator_ = std::make_unique<Relocator>(path_, *remapper_, recovery_);
      range_scan_ = std::make_unique<RangeScan>(path_, *remapper_, recovery_);
      metadata_check_ = std::make_unique<MetadataCheck>(path_, *remapper_);
    }
    if (parts.evidence_interval_ms != 0) {
      sampler_ = std::make_unique<EvidenceSampler>(
          path_, std::chrono::milliseconds(parts.evidence_interval_ms));
    }
    if (!parts.spare_reopeners.empty()) {
      spare_return_ =
          std::make_unique<SpareReturn>(path_, remapper_.get(), parts.spare_reopeners,
                                        std::chrono::milliseconds(parts.spare_look_interval_ms));
    }
    spare_watch_ = std::make_unique<SpareWatch>(
        path_, remapper_.get(), std::chrono::milliseconds(parts.spare_look_interval_ms), [this] {
          if (spare_return_) spare_return_->begin();
        });
    if (parts.reopener != nullptr) {
      rearm_ = std::make_unique<Rearm>(path_, *parts.reopener,
                                       std::chrono::milliseconds(parts.rearm_interval_ms));
    }
  }

  ~RunningEngine() override { stop(); }

  const io::Geometry& geometry() const override { return path_.geometry; }

  io::IoStatus read(Sector first, std::span<std::byte> out) override {
    if (!fits(first, out.size())) return {EINVAL};
    if (out.empty()) return io::kIoOk;
    if (path_.latencies.is_on()) [[unlikely]]
      return sample_read(first, out);
    return read_.read(first, out);
  }
  std::optional<io::IoStatus> read_or_later(Sector first, std::span<std::byte> out,
                                            const Later& later, RequestTimer* timer) override {
    if (!fits(first, out.size())) return io::IoStatus{EINVAL};
    if (out.empty()) return io::kIoOk;
    if (path_.latencies.is_on()) [[unlikely]]
      return sample_read_or_later(first, out, later, timer);
    return read_.read_or_later(first, out, later, timer);
  }
  io::IoStatus write(Sector first, std::span<const std::byte> data, bool fua,
                     RequestTimer* timer) override {
    if (!fits(first, data.size())) return {EINVAL};
    if (data.empty()) return io::kIoOk;
    if (path_.latencies.is_on()) [[unlikely]]
      return sample_write(first, data, fua, timer);
    return write_.write(first, data, fua, timer);
  }
  io::IoStatus write_zeroes(SectorRange range, RequestTimer* timer) override {
    if (!fits(range.first, range.count.bytes())) return {EINVAL};
    return range.empty() ? io::kIoOk : write_.write_zeroes(range, timer);
  }
  io::IoStatus discard(SectorRange range, RequestTimer* timer) override {
    if (!fits(range.first, range.count.bytes())) return {EINVAL};
    return range.empty() ? io::kIoOk : write_.discard(range, timer);
  }
  io::IoStatus flush() override {
    // Without a store nothing was written: there is nothing to make durable.
    return remapper_ ? flush_.flush() : io::kIoOk;
  }
  io::IoStatus flush_for(FlushHeard& heard, RequestTimer* timer) override {
    return remapper_ ? flush_.flush_for(heard, timer) : io::kIoOk;
  }
  void begin_hearing(FlushHeard& heard) const override { flush_.begin_hearing(heard); }

  std::optional<DirectRequest> begin(const Request& request) override {
    const bool is_flush = request.kind == Request::Kind::flush;
    const bool is_read = request.kind == Request::Kind::read;
    const bool has_buffer = is_read || request.kind == Request::Kind::write;
    const std::size_t bytes = is_read ? request.out.size() : request.data.size();
    if (!is_flush && (!fits(request.range.first, request.range.count.bytes()) ||
                      (has_buffer && bytes != request.range.count.bytes()))) {
      request.done->complete({EINVAL});
      return std::nullopt;
    }
    if (!is_flush && request.range.empty()) {
      request.done->complete(io::kIoOk);
      return std::nullopt;
    }
    return queue_.begin(request);
  }
  std::optional<io::IoStatus> finish(DirectRequest direct, io::IoStatus status) override {
    return queue_.finish(std::move(direct), status);
  }

  void add_timer(RequestTimer& timer) override { timeouts_.add(timer); }
  void remove_timer(RequestTimer& timer) override { timeouts_.remove(timer); }

  Result<RelocationReport> relocate(SectorRange range) override {
    if (!fits(range.first, range.count.bytes())) {
      return fail(ErrorCode::usage, "the range is not whole blocks inside main");
    }
    if (!relocator_) return fail(ErrorCode::read_only, "the set is read-only");
    return relocator_->relocate(range);
  }

  Result<RetryReport> retry(SectorRange range, const RetryProgress& go_on) override {
    if (!fits(range.first, range.count.bytes())) {
      return fail(ErrorCode::usage, "the range is not whole blocks inside main");
    }
    if (!relocator_) return fail(ErrorCode::read_only, "the set is read-only");
    return relocator_->retry(range, go_on);
  }

  Result<UnremapReport> unremap(SectorRange range) override {
    if (!fits(range.first, range.count.bytes())) {
      return fail(ErrorCode::usage, "the range is not whole blocks inside main");
    }
    if (!remapper_) return fail(ErrorCode::read_only, "the set is read-only");
    return remap::unremap(path_, *remapper_, range);
  }

  Result<table::MarkReport> mark_known_bad(const table::KnownBad& list, bool dry_run) override {
    const auto fitted = table::fit_to_main(list, path_.geometry);
    if (!fitted) return failure_of(fitted);
    if (dry_run) return table::count_marks(*fitted, path_.live.table());
    if (!remapper_) return fail(ErrorCode::read_only, "the set is read-only");
    return mark(path_, *remapper_, *fitted);
  }

  Result<BackfillReport> backfill(const Backfill& fill) override {
    SectorCount sum;
    Sector at;
    for (const SectorRange& range : fill.ranges) {
      if (range.empty() || range.first < at || !fits(range.first, range.count.bytes())) {
        return fail(ErrorCode::usage, "the ranges are not whole blocks inside main, in order");
      }
      sum = sum + range.count;
      at = range.end();
    }
    if (sum.bytes() != fill.data.size()) {
      return fail(ErrorCode::usage, "there is not as much data as the ranges need");
    }
    if (!remapper_) return fail(ErrorCode::read_only, "the set is read-only");
    return remap::backfill(path_, *remapper_, fill);
  }

  Result<ScanReport> scan(SectorRange range, const ContinueCheck& go_on) override {
    if (auto may = check_scan(range); !may) return failure_of(may);
    return range_scan_->scan(range, go_on);
  }
  Result<SectorCount> measure_slow(SectorRange range, const ContinueCheck& go_on) override {
    if (auto may = check_scan(range); !may) return failure_of(may);
    return range_scan_->measure_slow(range, go_on);
  }

  Result<unsigned> check_metadata(unsigned copy) override {
    if (!metadata_check_) return fail(ErrorCode::read_only, "the set is read-only");
    return metadata_check_->check(copy);
  }
  Result<unsigned> mend_metadata() override {
    if (!metadata_check_) return fail(ErrorCode::read_only, "the set is read-only");
    return metadata_check_->mend();
  }

  Result<void> grow_spare(SectorCount size) override {
    if (!remapper_) return fail(ErrorCode::read_only, "the set is read-only");
    const SectorCount used{path_.spares.size_sectors.load()};
    if (size <= used || size != format::largest_growth(used, size) ||
        size > path_.spares.metadata_spare().device_size()) {
      return fail(ErrorCode::usage, "the spare cannot grow to that size");
    }
    const auto outcome = remapper_->run_growth(size);
    return outcome ? result_of_record(*outcome) : failure_of(outcome);
  }

  Result<void> commit_record(const RecordEdit& edit) override {
    if (!remapper_) return fail(ErrorCode::read_only, "the set is read-only");
    return result_of_record(remapper_->run_record(edit));
  }

  void sample_latencies(bool on) override { path_.latencies.turn(on); }
  std::vector<LatencySample> take_latencies() override { return path_.latencies.take(); }

  EngineCounts counts() const override {
    EngineCounts out;
    out.reads = path_.live.pins().reads();
    out.writes = writes();
    out.flushes = path_.flushes.load();
    out.remapped_reads = path_.remapped_reads.load();
    out.remapped_writes = path_.remapped_writes.load();
    out.main_read_errors = path_.main_read_errors.load();
    out.main_write_errors = path_.main_write_errors.load();
    return out;
  }

  TroubleCounts trouble() const override { return path_.trouble.now(); }

  std::optional<std::uint64_t> settled_writes() const override {
    // In this order: whoever is counted and still in flight is waited for.
    const std::uint64_t settled = writes();
    const std::uint64_t deadline_ns =
        path_.clock.monotonic_ns() + std::chrono::nanoseconds(kSettlePatience).count();
    // Those past this process are not waited for: each changes the number when it ends.
    if (!path_.live.pins().drain({{0}, path_.geometry.size}, path_.clock, deadline_ns)) {
      return std::nullopt;
    }
    return settled;
  }

  std::uint64_t head_writes() const override {
    const std::uint64_t past = path_.direct == nullptr ? 0 : path_.direct->head_writes();
    return path_.head_writes.count() + past;
  }

  TableCounts table_counts() const override {
    const table::Table table = path_.live.table();
    const table::StateCounts& states = table.counts();
    TableCounts out;
    out.remapped = states.remapped;
    out.lost = states.lost;
    out.gone = states.gone;
    out.suspect = states.suspect;
    out.failing = path_.spares.failing.size() * path_.unit().value;
    out.extents = table.size();
    out.entries = table.size() + table.retired().size();
    out.entry_capacity = path_.table_capacity.load();
    out.spare_size = path_.spares.size_sectors.load();
    out.spare_capacity = path_.spares.capacity_sectors.load();
    out.spare_free = path_.spares.available_sectors.load();
    out.spare_retired = states.retired;
    return out;
  }

  Conditions conditions() const override {
    Conditions out;
    out.read_only = !path_.writable();
    if (out.read_only) out.read_only_reason = path_.read_only_reason();
    out.tripped = path_.breaker.tripped();
    if (out.tripped) {
      out.trip_reason = path_.breaker.reason();
      out.trip_error = path_.trip_error.load();
    }
    {
      const std::lock_guard lock(devices_mutex_);
      out.devices = devices_;
    }
    out.main_read_only = out.devices.main_read_only || path_.main_write_refusal.load() != 0;
    std::tie(out.spare, out.spare_reason) = spare_now(out.devices);
    out.spare_full = path_.spares.full.load();
    out.spare_low = path_.spares.low.load();
    out.table_full = path_.table_full.load();
    out.overdue = timeouts_.overdue();
    out.contents_changed = path_.changed_contents();
    if (out.read_only) {
      out.reason = path_.read_only_reason();
    } else if (out.tripped) {
      out.reason = path_.breaker.reason();
    } else if (!out.contents_changed.empty()) {
      out.reason = out.contents_changed;
    } else if (out.spare_full) {
      out.reason = "no spare sector is left";
    } else if (out.table_full) {
      out.reason = "the table is full";
    } else if (out.spare_low) {
      out.reason = "the spare is nearly full";
    }
    return out;
  }

  std::vector<BlockHash> evidence() const override { return path_.evidence_now(); }

  void note_devices(const DeviceNews& news) override {
    DeviceNews before;
    {
      const std::lock_guard lock(devices_mutex_);
      before = std::exchange(devices_, news);
    }
    SpareTrouble& spare = path_.spares.at(kFirstSpare).trouble;
    spare.withhold(news.spare_shrank);
    // Without a request nobody else would follow it up, and look for it under another name.
    if (!news.spare_absence.empty()) spare.sign();
    // Twice in a row, since a write may be refused between a look and its word here.
    if (!news.main_read_only && !before.main_read_only && !path_.main_opened_read_only) {
      path_.main_write_refusal.store(0);
    }
    if (!news.main_absence.empty()) {
      path_.trip_because(news.main_absence);
    } else if (news.main_shrank) {
      path_.trip_because(news.main_resize);
    }
  }

  std::vector<format::Extent> extents() const override { return path_.live.table().extents(); }
  std::vector<FailingPlace> failing() const override { return path_.spares.failing.list(); }

  bool may_go_direct(SectorRange range) const override { return path_.may_go_direct(range); }

  void end_background() override {
    if (relocator_) relocator_->stop();
    end_spare_threads();
  }
  void begin_background() override {
    // The one that looks for a spare is begun by the one that watches it.
    if (spare_return_) spare_return_->go_on();
    spare_watch_->go_on();
    if (relocator_) relocator_->go_on();
  }

  void stop() override {
    queue_.stop();
    if (rearm_) rearm_->stop();
    if (sampler_) sampler_->stop();
    end_spare_threads();
    if (relocator_) relocator_->stop();
    retries_.stop();
    if (remapper_) remapper_->stop();
    timeouts_.stop();
    path_.clock.stop();
  }

 private:
  [[nodiscard]] Result<void> result_of_record(Outcome outcome) const {
    switch (outcome) {
      case Outcome::done:
        return {};
      case Outcome::read_only:
        return fail(ErrorCode::read_only, "the set is read-only", path_.read_only_reason());
      case Outcome::table_full:
        return fail(ErrorCode::metadata_full, "the table is full");
      case Outcome::spare_full:
      case Outcome::spare_no_space:
      case Outcome::spare_refuses:
      case Outcome::failed:
      case Outcome::tripped:
        break;
    }
    const std::string reason = path_.read_only_reason();
    return fail(ErrorCode::metadata_commit,
                "the commit was not made durable" + (reason.empty() ? "" : ": " + reason));
  }

  [[nodiscard]] std::uint64_t writes() const {
    const std::uint64_t past = path_.direct == nullptr ? 0 : path_.direct->writes();
    return path_.live.pins().writes() + past;
  }

  // The watch is what begins the search for a spare.
  void end_spare_threads() {
    spare_watch_->stop();
    if (spare_return_) spare_return_->stop();
  }

  // What is seen of the spare from outside goes before what its requests came to.
  [[nodiscard]] std::pair<SpareState, std::string> spare_now(const DeviceNews& news) const {
    if (!news.spare_absence.empty()) {
      const std::string refusal = path_.spares.begin()->trouble.refusal();
      return {SpareState::away, news.spare_absence + (refusal.empty() ? "" : "; " + refusal)};
    }
    if (news.spare_shrank)
      return {SpareState::refuses, "nothing is written to a spare that shrank"};
    if (news.spare_read_only) return {SpareState::refuses, "the spare is read-only"};
    return path_.spares.found();
  }

  [[nodiscard]] Result<void> check_scan(SectorRange range) const {
    if (!fits(range.first, range.count.bytes())) {
      return fail(ErrorCode::usage, "the range is not whole blocks inside main");
    }
    if (!range_scan_ || !path_.writable()) {
      return fail(ErrorCode::read_only, "the set is read-only", path_.read_only_reason());
    }
    return {};
  }

  // Functions of their own, so that a request that is no sample pays for nothing of them.
  [[gnu::noinline]] io::IoStatus sample_read(Sector first, std::span<std::byte> out) {
    const std::uint64_t begun_ns = path_.latencies.now_ns();
    const io::IoStatus status = read_.read(first, out);
    if (status.ok()) path_.latencies.add(begun_ns);
    return status;
  }
  [[gnu::noinline]] std::optional<io::IoStatus> sample_read_or_later(Sector first,
                                                                     std::span<std::byte> out,
                                                                     const Later& later,
                                                                     RequestTimer* timer) {
    const std::uint64_t begun_ns = path_.latencies.now_ns();
    const auto status = read_.read_or_later(first, out, later, timer);
    if (status && status->ok()) path_.latencies.add(begun_ns);
    return status;
  }
  [[gnu::noinline]] io::IoStatus sample_write(Sector first, std::span<const std::byte> data,
                                              bool fua, RequestTimer* timer) {
    const std::uint64_t begun_ns = path_.latencies.now_ns();
    const io::IoStatus status = write_.write(first, data, fua, timer);
    if (status.ok()) path_.latencies.add(begun_ns);
    return status;
  }

  [[nodiscard]] bool fits(Sector first, std::uint64_t bytes) const {
    // Logical blocks are powers of two, and a division costs more than all else here.
    const std::uint64_t part_of_block = path_.geometry.logical_block_bytes - 1;
    if (((bytes | first.value * kSectorBytes) & part_of_block) != 0) return false;
    const std::uint64_t size = path_.geometry.size.value;
    return first.value <= size && bytes / kSectorBytes <= size - first.value;
  }

  DataPath path_;
  std::unique_ptr<Remapper> remapper_;
  Recovery recovery_;
  Retries retries_;
  ReadPath read_;
  WritePath write_;
  FlushPath flush_;
  RequestQueue queue_;
  RequestTimeouts timeouts_;
  std::unique_ptr<Relocator> relocator_;
  std::unique_ptr<RangeScan> range_scan_;
  std::unique_ptr<MetadataCheck> metadata_check_;
  std::unique_ptr<EvidenceSampler> sampler_;
  std::unique_ptr<Rearm> rearm_;
  std::unique_ptr<SpareWatch> spare_watch_;
  std::unique_ptr<SpareReturn> spare_return_;
  mutable std::mutex devices_mutex_;
  DeviceNews devices_;
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(const EngineParts& parts,
                                              const format::Content& content) {
  DMREMAP_ASSERT(parts.main != nullptr && !parts.spares.empty() && parts.clock != nullptr);
  if (const auto sound = check_content(parts, content); !sound) return failure_of(sound);
  const table::Table table(content.extents, content.retired);
  // As recorded, not as it is now: the copies lie where the spare ended when the set was made, and
  // on a spare that grew they would lie elsewhere.
  const SectorCount spare_size = format::usable_spare_size(content);
  const std::vector<SectorRange> reserved =
      format::reserved_ranges(content.identity.spare.size, spare_size);
  const SectorCount unit = parts.main->geometry().unit();
  std::vector<table::Allocator> allocators;
  for (std::size_t i = 0; i < parts.spares.size(); ++i) {
    const SpareIndex index{static_cast<std::uint8_t>(i)};
    auto allocator = table::Allocator::of(index, spare_size, reserved, table, unit);
    if (!allocator) return failure_of(allocator);
    allocators.push_back(std::move(*allocator));
  }
  return std::make_unique<RunningEngine>(parts, content, table, std::move(allocators));
}

}  // namespace dmremap::remap
