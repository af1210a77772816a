// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/table_json.hpp"

#include <array>

#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "control/json_types.hpp"

namespace dmremap::control {

namespace {

using format::Extent;
using format::State;
using nlohmann::json;

std::optional<SectorRange> range_of(const json& first, const json& count) {
  if (!first.is_number_unsigned() || !count.is_number_unsigned()) return std::nullopt;
  const SectorRange out{{first.get<std::uint64_t>()}, {count.get<std::uint64_t>()}};
  if (!is_on_a_disk(out)) return std::nullopt;
  return out;
}

std::optional<State> state_of(const json& name) {
  if (!name.is_string()) return std::nullopt;
  for (const State state : {State::suspect, State::lost, State::gone, State::remapped}) {
    if (name.get_ref<const std::string&>() == name_of(state)) return state;
  }
  return std::nullopt;
}

// Spare sector, errno, sequence, seconds.
std::optional<std::array<std::uint64_t, 4>> evidence_of(const json& entry) {
  static constexpr std::array<std::uint64_t, 4> kLargest{format::kMaxSector, 0xff, 0xffff'ffff,
                                                         0xffff'ffff};
  if (!entry.is_array() || entry.size() != kLargest.size()) return std::nullopt;
  std::array<std::uint64_t, 4> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!entry[i].is_number_unsigned()) return std::nullopt;
    out[i] = entry[i].get<std::uint64_t>();
    if (out[i] > kLargest[i]) return std::nullopt;
  }
  return out;
}

}  // namespace

json extents_to_json(std::span<const Extent> extents) {
  json out = json::array();
  for (const Extent& extent : extents) {
    out.push_back({extent.main().first.value, extent.main().count.value, name_of(extent.state())});
  }
  return out;
}

std::optional<std::vector<Extent>> extents_from_json(const json& list) {
  if (!list.is_array()) return std::nullopt;
  std::vector<Extent> out;
  Sector at;
  for (const json& entry : list) {
    if (!entry.is_array() || entry.size() != 3) return std::nullopt;
    const auto range = range_of(entry[0], entry[1]);
    const auto state = state_of(entry[2]);
    if (!range || !state || range->count.value > format::kMaxExtentSectors || range->first < at) {
      return std::nullopt;
    }
    out.emplace_back(*state, *range);
    at = range->end();
  }
  return out;
}

json evidence_to_json(std::span<const Extent> extents) {
  json out = json::array();
  for (const Extent& extent : extents) {
    out.push_back({extent.spare().first.sector.value, extent.cause(), extent.bound_sequence(),
                   extent.bound_time()});
  }
  return out;
}

std::optional<std::vector<Extent>> with_evidence(std::span<const Extent> extents,
                                                 const json& list) {
  if (!list.is_array() || list.size() != extents.size()) return std::nullopt;
  std::vector<Extent> out;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const auto facts = evidence_of(list[i]);
    if (!facts) return std::nullopt;
    const auto& [spare, cause, sequence, seconds] = *facts;
    const SectorRange main = extents[i].main();
    if (spare > format::kMaxSector - main.count.value) return std::nullopt;
    out.push_back(Extent(extents[i].state(), main, {kFirstSpare, {spare}})
                      .with_evidence(static_cast<int>(cause), sequence, seconds * kSecondNs));
  }
  return out;
}

json failing_to_json(std::span<const remap::FailingPlace> failing) {
  json out = json::array();
  for (const remap::FailingPlace& place : failing) {
    out.push_back({place.main.first.value, place.main.count.value, place.error});
  }
  return out;
}

std::optional<std::vector<remap::FailingPlace>> failing_from_json(const json& list) {
  if (!list.is_array()) return std::nullopt;
  std::vector<remap::FailingPlace> out;
  for (const json& one : list) {
    const bool whole = one.is_array() && one.size() == 3 && one[2].is_number_integer();
    const auto range = whole ? range_of(one[0], one[1]) : std::nullopt;
    if (!range) return std::nullopt;
    out.push_back({*range, one[2].get<int>()});
  }
  return out;
}

}  // namespace dmremap::control
