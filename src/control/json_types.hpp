// SPDX-License-Identifier: GPL-2.0-or-later
// How the types in messages look in JSON. Everything that is read is checked: a value that does not
// fit throws MalformedMessage or an exception of the JSON library, and parse_message turns it into
// an error.
#pragma once

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "base/uuid.hpp"

namespace dmremap {

// Numbers of sectors: no signs, no fractions.
void to_json(nlohmann::json& json, const Sector& sector);
void from_json(const nlohmann::json& json, Sector& sector);
void to_json(nlohmann::json& json, const SectorCount& count);
void from_json(const nlohmann::json& json, SectorCount& count);
void to_json(nlohmann::json& json, const Uuid& uuid);
void from_json(const nlohmann::json& json, Uuid& uuid);

namespace control {

struct MalformedMessage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// [first, count, first, count, ...]: ranges that are not empty and lie below 2^40 sectors.
struct RangeList {
  std::vector<SectorRange> ranges;
};
void to_json(nlohmann::json& json, const RangeList& list);
void from_json(const nlohmann::json& json, RangeList& list);
// Neither empty nor beyond 2^40 sectors.
[[nodiscard]] bool is_on_a_disk(SectorRange range);
[[nodiscard]] nlohmann::json ranges_to_json(std::span<const SectorRange> ranges);

}  // namespace control
}  // namespace dmremap

// An absent value is null; the field is never left out.
template <typename T>
struct nlohmann::adl_serializer<std::optional<T>> {
  static void to_json(nlohmann::json& json, const std::optional<T>& value) {
    json = value ? nlohmann::json(*value) : nlohmann::json(nullptr);
  }
  static void from_json(const nlohmann::json& json, std::optional<T>& value) {
    value = json.is_null() ? std::nullopt : std::optional<T>(json.get<T>());
  }
};
