// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/medium.hpp"

#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "base/assert.hpp"

namespace dmremap::sim {

namespace {

// Of one sector. More writes without a flush forget one in the middle, as a small cache would.
constexpr std::size_t kMostVersions = 12;

std::ptrdiff_t offset(std::size_t index) {
  return static_cast<std::ptrdiff_t>(index);
}

}  // namespace

Medium::Version::Version(std::span<const std::byte> from, std::uint64_t of, std::uint64_t done,
                         int gives)
    : write(of), tick(done), error(gives) {
  std::memcpy(data.data(), from.data(), kSectorBytes);
}

Medium::Medium(SectorCount size)
    : bytes_(static_cast<std::byte*>(std::calloc(size.value, kSectorBytes))),  // NOLINT
      errors_(size.value),
      slots_(size.value, kClean) {
  DMREMAP_ASSERT(bytes_ != nullptr);
}

Medium::Unflushed* Medium::find(Sector sector) {
  const std::uint32_t slot = slots_[sector.value];
  return slot == kClean ? nullptr : &unflushed_[slot - 1];
}

void Medium::show(Sector sector, const Version& version) {
  std::memcpy(place(sector), version.data.data(), kSectorBytes);
  errors_[sector.value] = static_cast<std::uint8_t>(version.error);
}

void Medium::clean(Sector sector) {
  Unflushed* const entry = find(sector);
  if (entry == nullptr) return;
  Unflushed& last = unflushed_[--used_];
  std::swap(*entry, last);
  std::swap(slots_[entry->sector.value], slots_[sector.value]);
  slots_[sector.value] = kClean;
  last.older.clear();
}

void Medium::land(Sector sector, std::span<const std::byte> data, std::uint64_t write, int error) {
  Unflushed* entry = find(sector);
  if (entry == nullptr) {
    if (used_ == unflushed_.size()) unflushed_.emplace_back();
    entry = &unflushed_[used_++];
    entry->sector = sector;
    entry->write = 0;
    slots_[sector.value] = static_cast<std::uint32_t>(used_);
  }
  if (entry->older.size() == kMostVersions) {
    entry->older.erase(entry->older.begin() + offset(1 + write % (kMostVersions - 1)));
  }
  entry->older.emplace_back(at(sector), entry->write, entry->tick, errors_[sector.value]);
  entry->write = write;
  entry->tick = kNotDone;
  if (!data.empty()) std::memcpy(place(sector), data.data(), kSectorBytes);
  errors_[sector.value] = static_cast<std::uint8_t>(error);
}

void Medium::complete(SectorRange range, std::uint64_t write, std::uint64_t tick) {
  for (Sector sector = range.first; sector < range.end(); sector.value += 1) {
    Unflushed* const entry = find(sector);
    if (entry == nullptr) continue;
    if (entry->write == write) entry->tick = tick;
    for (Version& version : std::span(entry->older).subspan(1)) {
      if (version.write == write) version.tick = tick;
    }
  }
}

void Medium::flush(std::uint64_t tick) {
  const auto covered = [tick](std::uint64_t done) { return done != kNotDone && done <= tick; };
  for (std::size_t i = used_; i-- > 0;) {
    Unflushed& entry = unflushed_[i];
    if (covered(entry.tick)) {
      clean(entry.sector);
      continue;
    }
    for (std::size_t v = entry.older.size(); v-- > 1;) {
      if (!covered(entry.older[v].tick)) continue;
      entry.older.erase(entry.older.begin(), entry.older.begin() + offset(v));
      break;
    }
  }
}

void Medium::give_up(std::uint64_t tick) {
  const auto stamp = [tick](std::uint64_t& done) {
    if (done != kNotDone && done <= tick) done = kNeverDurable;
  };
  for (Unflushed& entry : unflushed()) {
    stamp(entry.tick);
    for (Version& version : std::span(entry.older).subspan(1)) stamp(version.tick);
  }
}

bool Medium::lose(Sector sector, std::uint64_t write, int error) {
  if (find(sector) == nullptr) return false;
  Unflushed& entry = *find(sector);
  if (entry.write != write) {
    return std::erase_if(entry.older, [&](const Version& version) {
             return &version != &entry.older.front() && version.write == write;
           }) > 0;
  }
  const Version before = entry.older.back();
  entry.older.pop_back();
  show(sector, before);
  entry.write = before.write;
  entry.tick = before.tick;
  if (entry.older.empty()) clean(sector);
  if (error != 0) spoil(sector, error);
  return true;
}

template <typename Kept>
void Medium::survive(Unflushed& entry, PowerLoss& loss, const Kept& kept) {
  if (kept(entry.write)) return;
  ++loss.lost_sectors;
  for (std::size_t v = entry.older.size(); v-- > 0;) {
    if (v > 0 && !kept(entry.older[v].write)) continue;
    show(entry.sector, entry.older[v]);
    return;
  }
}

PowerLoss Medium::power_cut(Keep keep, Dice& dice) {
  PowerLoss loss;
  struct Fate {
    bool kept = false;
    bool lost = false;
  };
  std::map<std::uint64_t, Fate> requests;
  const std::uint64_t salt = dice.next();
  const std::uint64_t odds = dice.between(1, 7);  // of eight
  for (Unflushed& entry : unflushed()) {
    survive(entry, loss, [&](std::uint64_t write) {
      bool kept = keep == Keep::all;
      if (keep == Keep::any_sectors) kept = dice.below(8) < odds;
      if (keep == Keep::whole_requests) kept = Dice(salt ^ write).below(8) < odds;
      (kept ? requests[write].kept : requests[write].lost) = true;
      return kept;
    });
  }
  for (const auto& [write, fate] : requests) loss.torn_requests += fate.kept && fate.lost ? 1 : 0;
  while (used_ > 0) clean(unflushed_[used_ - 1].sector);
  return loss;
}

void Medium::poke(Sector sector, std::span<const std::byte> data) {
  DMREMAP_ASSERT(data.size() == kSectorBytes);
  clean(sector);
  std::memcpy(place(sector), data.data(), kSectorBytes);
  errors_[sector.value] = 0;
}

void Medium::spoil(Sector sector, int error) {
  errors_[sector.value] = static_cast<std::uint8_t>(error);
}

}  // namespace dmremap::sim
