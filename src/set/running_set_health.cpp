// SPDX-License-Identifier: GPL-2.0-or-later
// What looks after the disk of a running set: the scanner and the health of the disk, wired to the
// engine and the metadata.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "set/drive_place.hpp"
#include "set/kept_sections.hpp"
#include "set/running_set.hpp"

namespace dmremap::set {

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
  parts.before_look = [this] { watch_main(); };
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
