// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/bad_areas.hpp"

#include <algorithm>

namespace dmremap::files {

namespace {

using format::State;

bool is_bad(State state) {
  return state == State::lost || state == State::gone || state == State::suspect;
}

// The sectors that `part`, some bytes of `area`, touches.
SectorRange sectors_of(const BadArea& area, const ByteRange& part) {
  const std::uint64_t from = align_down(part.begin - area.at.begin, kSectorBytes);
  const std::uint64_t to = align_up(part.end() - area.at.begin, kSectorBytes);
  return {area.sector + SectorCount::from_bytes(from), SectorCount::from_bytes(to - from)};
}

}  // namespace

ByteRange common(const ByteRange& a, const ByteRange& b) {
  const std::uint64_t begin = std::max(a.begin, b.begin);
  const std::uint64_t end = std::min(a.end(), b.end());
  return end > begin ? ByteRange{begin, end - begin} : ByteRange{begin, 0};
}

std::vector<BadArea> bad_areas(std::span<const format::Extent> extents, SectorRange window) {
  std::vector<BadArea> out;
  for (const format::Extent& extent : extents) {
    const SectorRange inside = extent.main().intersect(window);
    if (!is_bad(extent.state()) || inside.empty()) continue;
    const SectorCount from = inside.first - window.first;
    // Neighbours that differ only in their evidence are one area to the reader of a list.
    if (!out.empty() && out.back().state == extent.state() && out.back().at.end() == from.bytes()) {
      out.back().at.length += inside.count.bytes();
      continue;
    }
    out.push_back({{from.bytes(), inside.count.bytes()}, inside.first, extent.state()});
  }
  return out;
}

BadAreas::BadAreas(std::vector<BadArea> areas) : areas_(std::move(areas)) {
  std::ranges::sort(areas_, {}, [](const BadArea& area) { return area.at.begin; });
  for (const BadArea& area : areas_) longest_ = std::max(longest_, area.at.length);
}

std::vector<BadArea> BadAreas::take(const ByteRange& place) {
  std::vector<BadArea> out;
  const std::uint64_t earliest = place.begin - std::min(place.begin, longest_);
  auto at = std::ranges::lower_bound(areas_, earliest, {},
                                     [](const BadArea& area) { return area.at.begin; });
  for (; at != areas_.end() && at->at.begin < place.end(); ++at) {
    const ByteRange part = common(at->at, place);
    if (part.length == 0) continue;
    const SectorRange sectors = sectors_of(*at, part);
    out.push_back({part, sectors.first, at->state});
    taken_.push_back(sectors);
  }
  return out;
}

std::vector<BadAreas::UnclaimedRange> BadAreas::unclaimed() const {
  std::vector<SectorRange> taken = taken_;
  std::ranges::sort(taken);
  std::vector<BadArea> by_sector = areas_;
  std::ranges::sort(by_sector, {}, [](const BadArea& area) { return area.sector; });
  std::vector<UnclaimedRange> out;
  auto next = taken.begin();
  for (const BadArea& area : by_sector) {
    Sector at = area.sector;
    const Sector end = area.sector + SectorCount::from_bytes(area.at.length);
    while (next != taken.end() && next->end() <= at) ++next;
    for (auto one = next; one != taken.end() && one->first < end; ++one) {
      if (one->first > at) out.push_back({{at, one->first - at}, area.state});
      at = std::max(at, one->end());
    }
    if (at < end) out.push_back({{at, end - at}, area.state});
  }
  return out;
}

}  // namespace dmremap::files
