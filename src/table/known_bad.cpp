// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/known_bad.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/sector_parts.hpp"

namespace dmremap::table {

namespace {

using format::Extent;
using format::State;
using Ranges = std::vector<SectorRange>;

// Both joined.
Ranges without(const Ranges& from, const Ranges& taken) {
  Ranges out;
  auto next = taken.begin();
  for (const SectorRange& range : from) {
    Sector at = range.first;
    while (next != taken.end() && next->end() <= at) ++next;
    for (auto cut = next; cut != taken.end() && cut->first < range.end(); ++cut) {
      if (at < cut->first) out.push_back({at, cut->first - at});
      at = std::max(at, cut->end());
    }
    if (at < range.end()) out.push_back({at, range.end() - at});
  }
  return out;
}

Result<Ranges> fit(const Ranges& ranges, const io::Geometry& main) {
  const SectorRange disk{{0}, main.size};
  Ranges out;
  for (const SectorRange& range : ranges) {
    if (range.empty()) continue;
    if (!disk.contains(range)) {
      return fail(ErrorCode::usage,
                  fmt::format("sectors {}+{} are not on the main device, which has {}",
                              range.first.value, range.count.value, main.size.value),
                  {}, "is it the list of this disk, made with this block size?");
    }
    const std::uint64_t first = align_down(range.first.value, main.unit().value);
    // Where blocks are main's physical ones, its last may be cut off.
    const std::uint64_t end =
        std::min(align_up(range.end().value, main.unit().value), main.size.value);
    out.push_back({{first}, {end - first}});
  }
  return joined(std::move(out));
}

void append_extents(std::vector<Extent>& out, const Ranges& ranges, State state,
                    std::uint64_t wall_ns) {
  for (const SectorRange& range : ranges) {
    for (const SectorRange part : chunks_of(range, kLongestMark)) {
      const Extent next = Extent(state, part).with_evidence(0, 1, wall_ns);
      if (!out.empty() && out.back().joins(next)) {
        out.back() = out.back().joined(next);
      } else {
        out.push_back(next);
      }
    }
  }
}

}  // namespace

std::vector<SectorRange> joined(std::vector<SectorRange> ranges, SectorCount gap) {
  std::ranges::sort(ranges);
  Ranges out;
  for (const SectorRange& range : ranges) {
    if (range.empty()) continue;
    if (out.empty() || out.back().end() + gap < range.first) {
      out.push_back(range);
    } else {
      out.back().count = std::max(out.back().end(), range.end()) - out.back().first;
    }
  }
  return out;
}

Result<KnownBad> fit_to_main(const KnownBad& list, const io::Geometry& main) {
  auto lost = fit(list.lost, main);
  if (!lost) return failure_of(lost);
  const auto suspect = fit(list.suspect, main);
  if (!suspect) return failure_of(suspect);
  KnownBad out;
  out.suspect = without(*suspect, *lost);
  out.lost = std::move(*lost);
  return out;
}

MarkReport count_marks(const KnownBad& list, const Table& table) {
  MarkReport out;
  const auto count = [&](const Ranges& ranges, SectorCount& marked, auto changes) {
    for (const SectorRange& range : ranges) {
      for (const Piece& piece : table.pieces(range)) {
        SectorCount& sum = changes(piece.state) ? marked : out.unchanged;
        sum = sum + piece.main.count;
      }
    }
  };
  count(list.lost, out.lost,
        [](State state) { return state == State::good || state == State::suspect; });
  count(list.suspect, out.suspect, [](State state) { return state == State::good; });
  return out;
}

std::vector<Extent> extents_of(const KnownBad& list, std::uint64_t wall_ns) {
  std::vector<Extent> out;
  append_extents(out, list.lost, State::lost, wall_ns);
  append_extents(out, list.suspect, State::suspect, wall_ns);
  std::ranges::sort(out, {}, &Extent::main);
  return out;
}

std::vector<SectorRange> covering(const KnownBad& list, std::size_t most) {
  Ranges out = list.lost;
  out.insert(out.end(), list.suspect.begin(), list.suspect.end());
  out = joined(std::move(out));
  for (SectorCount gap{8}; out.size() > most; gap.value *= 2) out = joined(std::move(out), gap);
  return out;
}

}  // namespace dmremap::table
