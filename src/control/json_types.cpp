// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/json_types.hpp"

#include "base/parse.hpp"

namespace dmremap {

using control::MalformedMessage;
using nlohmann::json;

namespace {

std::uint64_t number(const json& value) {
  if (!value.is_number_unsigned()) throw MalformedMessage("not a number of sectors");
  return value.get<std::uint64_t>();
}

}  // namespace

void to_json(json& out, const Sector& sector) {
  out = sector.value;
}

void from_json(const json& in, Sector& sector) {
  sector.value = number(in);
}

void to_json(json& out, const SectorCount& count) {
  out = count.value;
}

void from_json(const json& in, SectorCount& count) {
  count.value = number(in);
}

void to_json(json& out, const Uuid& uuid) {
  out = to_string(uuid);
}

void from_json(const json& in, Uuid& uuid) {
  const auto parsed = parse_uuid(in.get_ref<const std::string&>());
  if (!parsed) throw MalformedMessage("not a UUID");
  uuid = *parsed;
}

namespace control {

bool is_on_a_disk(SectorRange range) {
  return !range.empty() && range.count.value <= kAddressLimitSectors &&
         range.first.value <= kAddressLimitSectors - range.count.value;
}

json ranges_to_json(std::span<const SectorRange> ranges) {
  json out = json::array();
  for (const SectorRange& range : ranges) {
    out.push_back(range.first.value);
    out.push_back(range.count.value);
  }
  return out;
}

void to_json(json& out, const RangeList& list) {
  out = ranges_to_json(list.ranges);
}

void from_json(const json& in, RangeList& list) {
  if (!in.is_array() || in.size() % 2 != 0) throw MalformedMessage("not a list of sectors");
  list.ranges.clear();
  for (std::size_t i = 0; i < in.size(); i += 2) {
    const SectorRange range{in[i].get<Sector>(), in[i + 1].get<SectorCount>()};
    if (!is_on_a_disk(range)) throw MalformedMessage("not a list of sectors");
    list.ranges.push_back(range);
  }
}

}  // namespace control
}  // namespace dmremap
