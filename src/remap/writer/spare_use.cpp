// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/writer/spare_use.hpp"

#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "format/grown_spare.hpp"

namespace dmremap::remap {

namespace {

constexpr std::array<unsigned, 3> kSpareLowPercent{50, 80, 95};
constexpr unsigned kSpareLowCondition = 80;

}  // namespace

void SpareUse::note() {
  const std::uint64_t capacity = path_.spares.capacity().value;
  const std::uint64_t available = path_.spares.available().value;
  path_.spares.capacity_sectors.store(capacity);
  path_.spares.available_sectors.store(available);
  const std::uint64_t used = capacity == 0 ? 100 : (capacity - available) * 100 / capacity;
  path_.spares.low.store(used >= kSpareLowCondition);
  unsigned reached = 0;
  for (const unsigned percent : kSpareLowPercent) {
    if (used >= percent) reached = percent;
  }
  if (reached > percent_told_) {
    path_.emit(format::EventKind::spare_low,
               reached >= kSpareLowCondition ? Severity::warning : Severity::info, {}, 0,
               fmt::format("{} % of the spare is used", used));
  }
  percent_told_ = reached;
  if (available > 0) {
    path_.spares.full.store(false);
  } else {
    note_full({});
  }
}

void SpareUse::note_full(SectorRange range) {
  if (path_.spares.full.exchange(true)) return;
  path_.emit(format::EventKind::spare_full, Severity::error, range, ENOSPC,
             "no spare sector is left");
}

void SpareUse::grow(SectorCount size) {
  const SectorCount before{path_.spares.size_sectors.load()};
  if (size <= before) return;
  path_.spares.grow(path_.spares.metadata_spare().index, before, size);
  path_.spares.size_sectors.store(size.value);
  path_.emit(format::EventKind::spare_grown, Severity::info, {}, 0,
             format::growth_text(before, size));
  note();
}

}  // namespace dmremap::remap
