// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/policy_section.hpp"

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"

namespace dmremap::format {

namespace {

constexpr std::size_t kBootWait = 0;
constexpr std::size_t kZero = 4;

}  // namespace

void pack_policy_section(const PolicySection& policy, std::span<std::byte> out) {
  DMREMAP_ASSERT(out.size() == kPolicySectionBytes && kBootWaitS.contains(policy.boot_wait_s));
  store_le(out, kBootWait, policy.boot_wait_s);
}

std::optional<PolicySection> unpack_policy_section(std::span<const std::byte> from) {
  if (from.size() != kPolicySectionBytes || !all_zero(from.subspan(kZero))) return std::nullopt;
  const PolicySection out{load_le<std::uint32_t>(from, kBootWait)};
  if (!kBootWaitS.contains(out.boot_wait_s)) return std::nullopt;
  return out;
}

}  // namespace dmremap::format
