// SPDX-License-Identifier: GPL-2.0-or-later
// What the owner of a set chose for it, as an optional section of a body: how long a boot waits for
// a device of the set. A set without the section has the default.
//
// It is carried along as a section that the format does not know, as the scan is
// (scan_section.hpp), and counts in every commit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "format/content.hpp"

namespace dmremap::format {

inline constexpr std::uint16_t kPolicySectionType = 8;
inline constexpr std::size_t kPolicySectionBytes = 192;

inline constexpr std::uint32_t kDefaultBootWaitS = 30;
inline constexpr PolicyRange kBootWaitS{1, 86'400};

struct PolicySection {
  // Seconds after which a boot goes on without the set. Within kBootWaitS.
  std::uint32_t boot_wait_s = kDefaultBootWaitS;

  bool operator==(const PolicySection&) const = default;
};

// `out` is zeroed and kPolicySectionBytes long.
void pack_policy_section(const PolicySection& policy, std::span<std::byte> out);
// Empty if the bytes are no such section.
[[nodiscard]] std::optional<PolicySection> unpack_policy_section(std::span<const std::byte> from);

}  // namespace dmremap::format
