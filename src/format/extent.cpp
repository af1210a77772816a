// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/extent.hpp"

#include "base/assert.hpp"

namespace dmremap::format {

std::string_view name_of(State state) {
  switch (state) {
    case State::good:
      return "good";
    case State::suspect:
      return "suspect";
    case State::lost:
      return "lost";
    case State::gone:
      return "gone";
    case State::remapped:
      return "remapped";
    case State::retired:
      return "retired";
  }
  return "unknown";
}

Extent::Extent(State state, SectorRange main, SpareAddress spare)
    : main_word_(main.first.value | main.count.value << 40U),
      spare_word_(packed(spare) | static_cast<std::uint64_t>(state) << 48U) {
  DMREMAP_ASSERT(main.first.value <= kMaxSector && spare.sector.value <= kMaxSector);
  DMREMAP_ASSERT(main.count.value >= 1 && main.count.value <= kMaxExtentSectors);
}

Extent& Extent::with_evidence(int cause_errno, std::uint64_t sequence, std::uint64_t wall_ns) {
  const auto cause =
      static_cast<std::uint64_t>(cause_errno < 0 || cause_errno > 255 ? 255 : cause_errno);
  spare_word_ = (spare_word_ & ~(std::uint64_t{0xff} << 56U)) | cause << 56U;
  bound_sequence_ = static_cast<std::uint32_t>(sequence);
  bound_time_ = static_cast<std::uint32_t>(wall_ns / 1'000'000'000U);
  return *this;
}

Extent Extent::slice(SectorRange range) const {
  const SectorRange part = main().intersect(range);
  DMREMAP_ASSERT(!part.empty() && state() != State::retired);
  Extent out = *this;
  const SectorCount skipped = part.first - main().first;
  out.main_word_ = part.first.value | part.count.value << 40U;
  if (state() == State::remapped) out.spare_word_ += skipped.value;
  return out;
}

bool Extent::joins(const Extent& next) const {
  const bool alike = (spare_word_ >> 40U) == (next.spare_word_ >> 40U) &&
                     bound_sequence_ == next.bound_sequence_ && bound_time_ == next.bound_time_;
  if (!alike || main().count.value + next.main().count.value > kMaxExtentSectors) return false;
  if (state() == State::retired) return spare().end() == next.spare().first;
  if (main().end() != next.main().first) return false;
  return state() != State::remapped || spare().end() == next.spare().first;
}

Extent Extent::joined(const Extent& next) const {
  DMREMAP_ASSERT(joins(next));
  Extent out = *this;
  out.main_word_ += next.main().count.value << 40U;
  return out;
}

}  // namespace dmremap::format
