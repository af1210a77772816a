// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/lives/checker.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

namespace dmremap::sim {

namespace {

constexpr std::size_t kWords = kSectorBytes / sizeof(std::uint64_t);
using Words = std::array<std::uint64_t, kWords>;

// Differs in every word, so that a sector put together from two writes shows.
Words words_of(Sector sector, Stamp stamp) {
  Words words{};
  if (stamp == kZeros) return words;
  words[0] = stamp;
  words[1] = sector.value;
  for (std::size_t i = 2; i < kWords; ++i) {
    words[i] = (stamp * 0x9E3779B97F4A7C15U) ^ (sector.value << 20U) ^ i;
  }
  return words;
}

}  // namespace

void put_stamp(std::span<std::byte> data, Sector first, Stamp stamp) {
  for (std::size_t at = 0; at < data.size(); at += kSectorBytes) {
    const Words words = words_of(first + SectorCount::from_bytes(at), stamp);
    std::memcpy(data.data() + at, words.data(), kSectorBytes);
  }
}

Checker::Checker(SectorCount size, Stamp initial)
    : sectors_(size.value, Versions{{initial, 0, 0, true, false, true, true}}),
      last_stamp_(initial) {}

Checker::Write Checker::begin(SectorRange range, Stamp stamp) {
  const Write write{range, stamp, tick()};
  for (Sector s = range.first; s < range.end(); s = s + SectorCount{1}) {
    sectors_[s.value].push_back({stamp, write.begun});
    unstable_.push_back(s);
  }
  return write;
}

Checker::Write Checker::begin_write(SectorRange range) {
  return begin(range, ++last_stamp_);
}

Checker::Write Checker::begin_zeroes(SectorRange range) {
  return begin(range, kZeros);
}

// What can never be seen again, not even by a read in flight: something stable came after it.
void Checker::prune(Versions& versions) const {
  const Tick oldest_read = reading_.empty() ? kNever : *reading_.begin();
  Tick latest = 0;
  for (const Version& v : versions) {
    if (v.stable && v.supersedes && v.ended < oldest_read) latest = std::max(latest, v.begun);
  }
  std::erase_if(versions, [latest](const Version& v) { return v.ended < latest; });
}

void Checker::end(const Write& write, Outcome outcome) {
  const Tick now = tick();
  const bool acknowledged = outcome == Outcome::acknowledged || outcome == Outcome::durable;
  for (Sector s = write.range.first; s < write.range.end(); s = s + SectorCount{1}) {
    Versions& versions = sectors_[s.value];
    const auto version = std::ranges::find(versions, write.begun, &Version::begun);
    if (version == versions.end() || version->ended != kNever) continue;  // a crash came before
    if (outcome == Outcome::none) {
      versions.erase(version);
      continue;
    }
    version->ended = now;
    version->stable = outcome == Outcome::durable;
    version->supersedes = version->stable || (acknowledged && !version->lost);
    if (version->stable) prune(versions);
  }
}

bool Checker::allowed(Versions& versions, Stamp stamp, Tick begun) {
  for (const Version& v : versions) {
    if (v.stamp != stamp) continue;
    const bool superseded = std::ranges::any_of(versions, [&](const Version& other) {
      return other.supersedes && other.begun > v.ended && other.ended < begun;
    });
    if (superseded) continue;
    // One of the certain ones is there, and now it is known which.
    if (v.certain && std::ranges::count(versions, stamp, &Version::stamp) == 1) {
      std::erase_if(versions,
                    [&](const Version& other) { return other.certain && other.stamp != stamp; });
    }
    return true;
  }
  return false;
}

Checker::Tick Checker::begin_read() {
  const Tick begun = tick();
  reading_.insert(begun);
  return begun;
}

std::string Checker::end_read(Tick begun, Sector first, std::span<const std::byte> data) {
  reading_.erase(begun);
  for (std::size_t at = 0; at < data.size(); at += kSectorBytes) {
    const Sector sector = first + SectorCount::from_bytes(at);
    Stamp stamp = 0;
    std::memcpy(&stamp, data.data() + at, sizeof stamp);
    const Words words = words_of(sector, stamp);
    if (std::memcmp(words.data(), data.data() + at, kSectorBytes) != 0) {
      return fmt::format("promise 1: sector {} reads what nobody wrote there (first word {:#x})",
                         sector.value, stamp);
    }
    if (!allowed(sectors_[sector.value], stamp, begun)) {
      return fmt::format("promise 1: sector {} reads write {}, begun to read at tick {}; {}",
                         sector.value, stamp, begun, describe(sector));
    }
  }
  return {};
}

std::string Checker::end_flush(Tick begun, bool ok) {
  if (!ok) {
    untold_loss_ = false;
    lose_unflushed(false);
    return {};
  }
  if (untold_loss_ && loss_at_ < begun) {
    return "a flush succeeds after a device lost what was acknowledged, and nobody was told";
  }
  std::vector<Sector> left;
  for (const Sector sector : unstable_) {
    Versions& versions = sectors_[sector.value];
    bool all = true;
    for (Version& v : versions) {
      if (v.stable) continue;
      if (v.supersedes && v.ended < begun) {
        v.stable = true;
      } else {
        all = false;
      }
    }
    prune(versions);
    if (!all && (left.empty() || left.back() != sector)) left.push_back(sector);
  }
  unstable_ = std::move(left);
  return {};
}

std::vector<Checker::Unsettled> Checker::unsettled() const {
  std::vector<Unsettled> out;
  for (const Sector sector : unstable_) {
    const Versions& versions = sectors_[sector.value];
    for (const Version& v : versions) {
      if (!v.supersedes || v.stable) continue;
      Stamp oldest = v.stamp;
      for (const Version& beside : versions) {
        if (beside.ended > v.begun) oldest = std::min(oldest, beside.stamp);
      }
      out.push_back({sector, oldest});
    }
  }
  return out;
}

void Checker::lose_unflushed(bool telling) {
  bool any = false;
  for (const Sector sector : unstable_) {
    for (Version& v : sectors_[sector.value]) {
      if (v.stable) continue;
      any = any || v.supersedes;
      v.supersedes = false;
      v.lost = true;
    }
  }
  if (telling && any) {
    untold_loss_ = true;
    loss_at_ = tick();
  }
}

void Checker::killed() {
  const Tick now = tick();
  untold_loss_ = false;
  reading_.clear();
  for (const Sector sector : unstable_) {
    for (Version& v : sectors_[sector.value]) v.ended = std::min(v.ended, now);
  }
}

void Checker::power_cut() {
  killed();
  const Tick now = tick();
  for (const Sector sector : unstable_) {
    Versions& versions = sectors_[sector.value];
    prune(versions);
    for (Version& v : versions) v = {v.stamp, 0, now, true, false, true, true};
  }
  unstable_.clear();
}

std::string Checker::describe(Sector sector) const {
  std::string out = "versions:";
  for (const Version& v : sectors_[sector.value]) {
    out += fmt::format(" [{} {}..{}{}{}{}]", v.stamp, v.begun,
                       v.ended == kNever ? "" : fmt::format("{}", v.ended),
                       v.supersedes ? " acknowledged" : "", v.stable ? " stable" : "",
                       v.certain ? " certain" : "");
  }
  return out;
}

}  // namespace dmremap::sim
