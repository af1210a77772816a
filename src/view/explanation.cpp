// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/explanation.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/units.hpp"

namespace dmremap::view {

namespace {

using format::Extent;
using format::State;
using table::Place;

Explanation of_good(std::span<const Extent> extents, std::size_t next, SectorCount size,
                    Sector sector) {
  Explanation out;
  const Sector from = next == 0 ? Sector{} : extents[next - 1].main().end();
  const Sector end = next == extents.size() ? Sector{size.value} : extents[next].main().first;
  out.extent = {from, end - from};
  out.main = sector;
  return out;
}

Explanation of_extent(const Extent& extent, Sector sector, std::uint64_t latest) {
  Explanation out;
  out.state = extent.state();
  out.extent = extent.main();
  out.place = table::place_of(out.state);
  out.main = sector;
  if (out.place == Place::spare) out.spare = extent.spare().first + (sector - out.extent.first);
  out.evidence = Evidence{extent.cause(), full_sequence(extent.bound_sequence(), latest),
                          extent.bound_time() * kSecondNs};
  return out;
}

RequestAnswer read_of_lost(const Situation& now) {
  if (now.read_only || now.tripped) {
    return {Target::error, fmt::format("EIO at once; main is not asked again while the set is {}",
                                       now.read_only ? "read-only" : "tripped")};
  }
  return {Target::error,
          "EIO at once; main is asked again in the background, and if it reads well then, the data "
          "is saved to the spare"};
}

RequestAnswer read_of_failing(const Explanation& sector, const Situation& now) {
  return {Target::error,
          fmt::format("EIO at once; the spare gave {} and is {}", errno_name(sector.failing),
                      now.read_only ? "not asked again while the set is read-only"
                                    : "asked again in the background; if it reads well then, the "
                                      "data moves to another place on it")};
}

RequestAnswer read_of(const Explanation& sector, const Situation& now) {
  switch (sector.place) {
    case Place::spare:
      if (sector.failing != 0) return read_of_failing(sector, now);
      return {Target::spare,
              now.read_only
                  ? "from the spare; if it cannot read it: EIO"
                  : "from the spare; if it cannot read it: EIO, and it is asked again later"};
    case Place::nowhere:
      if (sector.state == State::lost) return read_of_lost(now);
      return {Target::error,
              "EIO at once; main never had, or no longer has, this data and is never asked"};
    case Place::main:
      break;
  }
  if (now.tripped) return {Target::error, "EIO: main is not there, and nothing is remapped"};
  if (now.read_only) return {Target::main, "from main; if it cannot read it: EIO"};
  return {Target::main,
          "from main; if it cannot read it when asked again either: EIO, and it becomes lost"};
}

const char* what_is_full(const Situation& now) {
  if (now.spare_full) return "the spare is full";
  return now.table_full ? "the table is full" : nullptr;
}

RequestAnswer write_of(const Explanation& sector, const Situation& now) {
  if (now.read_only) return {Target::error, "fails with EROFS: the set is read-only"};
  const char* full = what_is_full(now);
  if (sector.place == Place::spare && sector.failing != 0) {
    return {Target::spare, full != nullptr
                               ? fmt::format("to its place on the spare: {}", full)
                               : "to another spare sector, and from then on it reads again"};
  }
  if (sector.place == Place::spare) {
    return {Target::spare, full != nullptr
                               ? fmt::format("to the spare, in place; if it refuses, to main if "
                                             "that reads back the same: {}",
                                             full)
                               : "to the spare, in place; if it refuses, to another spare sector"};
  }
  if (now.tripped) return {Target::error, "fails: main is not there, and nothing is remapped"};
  if (sector.place == Place::main) {
    return {Target::main, full != nullptr
                              ? fmt::format("to main; if it refuses, the write fails: {}", full)
                              : "to main; if it refuses, to a spare sector"};
  }
  if (full != nullptr) {
    return {Target::main,
            fmt::format("to main, and if that reads back the same the sector is good again; else "
                        "the write fails: {}",
                        full)};
  }
  return {Target::spare, "to a spare sector; from then on it is remapped"};
}

}  // namespace

std::string_view name_of(Target target) {
  switch (target) {
    case Target::main:
      return "main";
    case Target::spare:
      return "spare";
    case Target::error:
      break;
  }
  return "error";
}

std::uint64_t full_sequence(std::uint32_t low, std::uint64_t latest) {
  constexpr std::uint64_t kTurn = std::uint64_t{1} << 32U;
  // An extent is no later than `latest`, so if the low bits are larger than its low bits, they
  // belong to the turn of the 32-bit counter before.
  const std::uint64_t same_turn = latest / kTurn * kTurn + low;
  return same_turn > latest && same_turn >= kTurn ? same_turn - kTurn : same_turn;
}

Explanation explain(std::span<const Extent> extents, SectorCount size, Sector sector,
                    const Situation& situation) {
  // The extent that may contain the sector is the last one that begins at or before it.
  const auto after = std::ranges::upper_bound(
      extents, sector, {}, [](const Extent& extent) { return extent.main().first; });
  const auto next = static_cast<std::size_t>(after - extents.begin());
  const bool listed = next > 0 && extents[next - 1].main().contains(sector);
  Explanation out = listed ? of_extent(extents[next - 1], sector, situation.sequence)
                           : of_good(extents, next, size, sector);
  if (out.place == Place::spare) out.failing = situation.failing;
  out.read = read_of(out, situation);
  out.write = write_of(out, situation);
  return out;
}

std::string errno_name(int number) {
  const char* name = ::strerrorname_np(number);
  return name != nullptr ? name : fmt::format("errno {}", number);
}

}  // namespace dmremap::view
