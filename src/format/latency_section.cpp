// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/latency_section.hpp"

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"

namespace dmremap::format {

namespace {

constexpr std::size_t kProfileLength = 0;
constexpr std::size_t kZero = 4;
constexpr std::size_t kProfile = 16;
static_assert(kProfile + kLatencyProfileBytes == kLatencySectionBytes);

}  // namespace

void pack_latency_section(const LatencySection& latency, std::span<std::byte> out) {
  DMREMAP_ASSERT(out.size() == kLatencySectionBytes &&
                 latency.profile.size() <= kLatencyProfileBytes);
  store_le(out, kProfileLength, static_cast<std::uint32_t>(latency.profile.size()));
  put_bytes(out, kProfile, latency.profile);
}

std::optional<LatencySection> unpack_latency_section(std::span<const std::byte> from) {
  if (from.size() != kLatencySectionBytes) return std::nullopt;
  const std::size_t length = load_le<std::uint32_t>(from, kProfileLength);
  if (length > kLatencyProfileBytes || !all_zero(from.subspan(kZero, kProfile - kZero)) ||
      !all_zero(from.subspan(kProfile + length))) {
    return std::nullopt;
  }
  const auto profile = from.subspan(kProfile, length);
  return LatencySection{{profile.begin(), profile.end()}};
}

}  // namespace dmremap::format
