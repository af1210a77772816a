// SPDX-License-Identifier: GPL-2.0-or-later
// What looks after the disk of a running set: the scanner and the health of the disk, wired to the
// engine and the metadata.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "discovery/device_facts.hpp"
#include "discovery/main_print.hpp"
#include "discovery/superblock_print.hpp"
#include "remap/head_writes.hpp"
#include "set/drive_place.hpp"
#include "set/kept_sections.hpp"
#include "set/running_set.hpp"

namespace dmremap::set {

namespace {

// While the set waits for a moment in which nobody uses main: how often it looks for one before it
// goes on with what else it looks after.
constexpr unsigned kQuietLooks = 20;
constexpr std::chrono::milliseconds kQuietLookEvery{50};

static_assert(remap::HeadWrites::kHead.bytes() == discovery::kPrintedBytes);

}  // namespace

void RunningSet::make_scanner() {
  Scanner::Parts parts;
  parts.engine = engine_.get();
  parts.clock = &clock_;
  parts.size = engine_->geometry().size;
  parts.main_path = [this] { return main_.device()->path(); };
  parts.stored = stored_scan(content_);
  parts.stored_latency = stored_latency(content_);
  if (has_scan(content_)) {
    parts.remember = [this](const ScanMemory& memory) {
      return engine_->commit_record(
          [&memory](format::Records& records, const table::Table&) { store(records, memory); });
    };
  }
  scanner_ = std::make_unique<Scanner>(std::move(parts));
}

void RunningSet::make_disk_health() {
  const auto query = std::make_shared<DriveQuery>([this] { return main_.device()->path(); },
                                                  engine_->geometry().size);
  DiskHealth::Parts parts;
  parts.engine = engine_.get();
  parts.clock = &clock_;
  parts.sectors_per_block = static_cast<std::uint32_t>(
      std::max<std::uint64_t>(1, engine_->geometry().physical_block_bytes / kSectorBytes));
  parts.ask = [query](const std::string& serial, const std::function<bool()>& wanted) {
    return query->ask(serial, wanted);
  };
  parts.on_answer = [this](const DriveAnswer& answer) { return drive_timeouts_->take(answer); };
  // Without a drive there is nobody who could be disturbed, nor anything to wait for.
  if (drive_of(main_.device()->path()).node.empty()) parts.first_ask = std::chrono::seconds(0);
  parts.look_at = [this](std::span<const SectorRange> places) { scanner_->look_at(places); };
  parts.scanner = [this] { return scanner_->status(); };
  parts.stored = stored_disk_history(content_);
  // In one thread: both look at main every few seconds, and neither is waited for by anybody.
  parts.before_look = [this](const std::function<bool()>& go_on) { watch_main(go_on); };
  if (has_disk_history(content_)) {
    parts.remember = [this](const format::DiskHistorySection& disk) {
      return engine_->commit_record(
          [&disk](format::Records& records, const table::Table&) { store(records, disk); });
    };
  }
  disk_health_ = std::make_unique<DiskHealth>(std::move(parts));
  recorder_.carry_with([this](format::Records& records) {
    if (const auto scan = scanner_->memory_for_commit()) store(records, *scan);
    if (const auto disk = disk_health_->memory_for_commit()) store(records, *disk);
  });
  disk_health_->start();
}

// A user who makes a new file system on the virtual device changes the file system UUID by which
// main is recorded. The watch records the new one soon, so that a crash rarely leaves the old one,
// with which the next start would refuse a main that nothing else proves. A crash before the commit
// of look_at_main() leaves the old one.
void RunningSet::watch_main(const std::function<bool()>& go_on) {
  if (engine_->conditions().tripped) return;
  // Before the look: what is changed from here on wants another one.
  const std::uint64_t head_writes = engine_->head_writes();
  for (unsigned left = kQuietLooks; left > 0 && go_on(); --left) {
    switch (main_watch_.ask({clock_.monotonic_ns(), head_writes, scanner_->others()})) {
      case MainWatch::Answer::rest:
        return;
      case MainWatch::Answer::look: {
        const bool well = look_at_main();
        return main_watch_.looked(clock_.monotonic_ns(), well);
      }
      case MainWatch::Answer::wait:
        std::this_thread::sleep_for(kQuietLookEvery);
    }
  }
}

// Returns false if main does not read well. The print is compared first, because it costs one read
// of a small area; only if it changed is main probed for a file system.
bool RunningSet::look_at_main() {
  const discovery::MainPrint now = discovery::print_of(*main_.device(), engine_->extents());
  if (!now.whole || now.print == print_seen_) return now.whole;
  print_seen_ = now.print;
  const auto seen = discovery::gather_facts(*main_.device());
  if (!seen) return false;
  const format::Fingerprint before = main_.fingerprint();
  const format::Fingerprint after = merged(before, seen->fingerprint);
  if (after.fs_uuid == before.fs_uuid && after.fs_type == before.fs_type) return true;
  update_recorded_main(*seen);
  const auto recorded = engine_->commit_record(
      [this](format::Records& content, const table::Table&) { record_facts(content); });
  if (!recorded) log(Severity::warning, recorded.error().message());
  return true;
}

std::optional<health::LatencyProfile> RunningSet::latency_profile() const {
  if (scanner_) return scanner_->latency_profile();
  const auto stored = stored_latency(content_);
  if (!stored) return std::nullopt;
  return health::unpack_latency_profile(stored->profile, engine_->geometry().size);
}

std::optional<health::History> RunningSet::disk_history() const {
  if (disk_health_) return disk_health_->history();
  const auto stored = stored_disk_history(content_);
  if (!stored) return std::nullopt;
  return health::unpack_history(stored->history);
}

}  // namespace dmremap::set
