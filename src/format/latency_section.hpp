// SPDX-License-Identifier: GPL-2.0-or-later
// How long reads take across main, as an optional section of a body: what the scan measured of each
// part of the disk (health/latency_profile.hpp).
//
// It is carried along as a section that the format does not know, by this version too, like the
// scan's (scan_section.hpp), and counts in every commit: what was measured by an earlier run was
// measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dmremap::format {

inline constexpr std::uint16_t kLatencySectionType = 12;
inline constexpr std::size_t kLatencySectionBytes = 320;
inline constexpr std::size_t kLatencyProfileBytes = 304;

struct LatencySection {
  // At most kLatencyProfileBytes; health/latency_profile.hpp has its form.
  std::vector<std::byte> profile;

  bool operator==(const LatencySection&) const = default;
};

// `out` is zeroed and kLatencySectionBytes long.
void pack_latency_section(const LatencySection& latency, std::span<std::byte> out);
// Empty if the bytes are no such section.
[[nodiscard]] std::optional<LatencySection> unpack_latency_section(std::span<const std::byte> from);

}  // namespace dmremap::format
