// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/evidence/evidence_sampler.hpp"

#include <algorithm>
#include <mutex>
#include <span>

#include "remap/device/probe.hpp"

namespace dmremap::remap {

namespace {

// Where the usual file systems have what changes with every mount: ext4 in sector 2, XFS and the
// partition tables in sector 0, btrfs in sector 128; and the same for a first partition at 1 MiB.
constexpr std::array<std::uint64_t, 4> kSuperblocks{0, 128, 2048, 2048 + 128};
constexpr std::uint32_t kSpread = 10;
// Main is asked for so many blocks in an interval.
constexpr std::size_t kRecentInRound = 2;
constexpr std::size_t kPlacesInRound = 2;
constexpr std::uint64_t kRecheckEveryNs = 60'000'000'000;
constexpr std::uint64_t kDrainNs = 1'000'000'000;

}  // namespace

EvidenceSampler::EvidenceSampler(DataPath& path, std::chrono::milliseconds interval)
    : path_(path),
      // At once, for main may vanish at any time.
      thread_(path.scheduling, interval, PeriodicThread::First::at_once) {
  std::vector<Sector> wanted = spread(path.geometry.size, path.unit(), kSpread);
  for (const std::uint64_t sector : kSuperblocks) wanted.push_back({sector});
  for (const Sector sector : wanted) {
    const SectorRange block = block_at(sector);
    if (block.empty() || std::ranges::find(places_, block) != places_.end()) continue;
    places_.push_back(block);
    if (path.direct != nullptr) path.direct->keep(block);
  }
  buffer_ = AlignedBuffer(block_at({0}).count.bytes());
  recheck_at_ns_ = path.clock.monotonic_ns() + kRecheckEveryNs;
  thread_.start("evidence", [this] {
    if (!path_.breaker.tripped()) round();
  });
}

void EvidenceSampler::round() {
  // Not flushed from here: a flush that fails may be what loses the writes an earlier run left in
  // main's cache, and no user would have been told when the next one reads.
  if (!path_.evidence.durable()) return;
  const std::uint64_t flushes = path_.evidence.flushes();
  if (flushes_seen_ == flushes) return;
  const bool first = !flushes_seen_;
  flushes_seen_ = flushes;
  // What is written most shall not be kept from the direct path.
  if (path_.direct == nullptr) sample_recent();
  sample_places(first ? places_.size() : kPlacesInRound);
  if (path_.clock.monotonic_ns() >= recheck_at_ns_) recheck();
}

void EvidenceSampler::sample_recent() {
  std::vector<Sector> recent = path_.evidence.take_recent();
  std::size_t left = kRecentInRound;
  for (; left > 0 && !recent.empty(); recent.pop_back()) {
    const SectorRange block = block_at(recent.back());
    if (!block.empty() && sample(block, true)) --left;
  }
}

void EvidenceSampler::sample_places(std::size_t most) {
  for (std::size_t i = 0; i < places_.size() && most > 0; ++i) {
    const SectorRange block = places_[next_place_++ % places_.size()];
    if (sample(block, false)) --most;
  }
}

bool EvidenceSampler::sample(SectorRange block, bool recent) {
  if (path_.evidence.has(block) || !served_by_main(block)) return false;
  // A write past this process would not void the entry: there must be none.
  const std::uint64_t until_ns = path_.clock.monotonic_ns() + kDrainNs;
  if (path_.direct != nullptr && !path_.direct->drain(block, path_.clock, until_ns)) return false;
  if (!path_.evidence.begin(block)) return false;
  if (const auto hash = read(block)) (void)path_.evidence.publish(*hash, recent);
  return true;
}

void EvidenceSampler::recheck() {
  recheck_at_ns_ = path_.clock.monotonic_ns() + kRecheckEveryNs;
  const std::vector<BlockHash> entries = path_.evidence_now();
  if (entries.empty()) return;
  const BlockHash known = entries[next_recheck_++ % entries.size()];
  for (int round = 0; round < 2; ++round) {
    const auto now = read(known.block);
    if (!now || *now == known.hash) return;
    // Asked after the read: a write that came meanwhile has voided the entry by now.
    if (!path_.evidence.holds(known) || !served_by_main(known.block)) return;
  }
  // It must not keep main from being taken back when it was away.
  path_.evidence.drop(known.block);
  path_.note_changed_contents(known.block);
}

bool EvidenceSampler::served_by_main(SectorRange block) const {
  return !path_.live.table().any(block);
}

// A read that fails says nothing here: what it means for the sector a user's read finds out.
std::optional<std::uint64_t> EvidenceSampler::read(SectorRange block) {
  const auto out = buffer_.span().first(block.count.bytes());
  if (!path_.read_main(block.first, out).ok()) return std::nullopt;
  return hash_of(out);
}

// The block around the sector, of 4 KiB or what main reads and writes at once; empty where none
// fits.
SectorRange EvidenceSampler::block_at(Sector sector) const {
  const std::uint64_t sectors = std::max<std::uint64_t>(path_.block().value, 8);
  const std::uint64_t whole = align_up(sectors, path_.unit().value);
  const SectorRange block{{align_down(sector.value, whole)}, {whole}};
  const bool fits =
      block.end() <= Sector{} + path_.geometry.size && block.count <= table::kRegionSectors;
  return fits ? block : SectorRange{};
}

}  // namespace dmremap::remap
