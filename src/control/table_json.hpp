// SPDX-License-Identifier: GPL-2.0-or-later
// Sectors by state as they go over a set's socket.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/units.hpp"
#include "format/extent.hpp"
#include "remap/device/failing_places.hpp"

namespace dmremap::control {

// [[first, count, "lost"], ...]: main sectors and state; the rest is in a list of its own.
[[nodiscard]] nlohmann::json extents_to_json(std::span<const format::Extent> extents);
// Nothing, if it is no such list in the order of sectors.
[[nodiscard]] std::optional<std::vector<format::Extent>> extents_from_json(
    const nlohmann::json& list);

// [[spare sector, errno, sequence, seconds], ...], in the order of the extents: where the data is
// and the evidence. The sector is one of the first spare. It is a field beside the extents, so that
// earlier programs still understand those.
[[nodiscard]] nlohmann::json evidence_to_json(std::span<const format::Extent> extents);
// Returns `extents` with the evidence from `list`. Empty if that is no such list or has another
// length.
[[nodiscard]] std::optional<std::vector<format::Extent>> with_evidence(
    std::span<const format::Extent> extents, const nlohmann::json& list);

// [[first, count, errno], ...]: remapped sectors whose spare sector does not read at present.
[[nodiscard]] nlohmann::json failing_to_json(std::span<const remap::FailingPlace> failing);
// Nothing, if it is no such list.
[[nodiscard]] std::optional<std::vector<remap::FailingPlace>> failing_from_json(
    const nlohmann::json& list);

}  // namespace dmremap::control
