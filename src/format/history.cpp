// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/history.hpp"

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"
#include "format/sections.hpp"

namespace dmremap::format {

namespace {

constexpr std::size_t kCount = 0;
constexpr std::size_t kZero = 4;
constexpr std::size_t kEvents = 64;
static_assert(kEvents + kHistoryEvents * kEventBytes == kHistoryBytes);

}  // namespace

void pack_history(const std::vector<Event>& events, std::span<std::byte> out) {
  DMREMAP_ASSERT(out.size() == kHistoryBytes && events.size() <= kHistoryEvents);
  store_le(out, kCount, static_cast<std::uint32_t>(events.size()));
  for (std::size_t i = 0; i < events.size(); ++i) {
    pack_event(events[i], out.subspan(kEvents + i * kEventBytes, kEventBytes));
  }
}

std::optional<std::vector<Event>> unpack_history(std::span<const std::byte> from) {
  if (from.size() != kHistoryBytes) return std::nullopt;
  const std::size_t count = load_le<std::uint32_t>(from, kCount);
  if (count > kHistoryEvents || !all_zero(from.subspan(kZero, kEvents - kZero)) ||
      !all_zero(from.subspan(kEvents + count * kEventBytes))) {
    return std::nullopt;
  }
  std::vector<Event> out;
  for (std::size_t i = 0; i < count; ++i) {
    auto event = unpack_event(from.subspan(kEvents + i * kEventBytes, kEventBytes));
    // An event of a kind that a later version added is left out, and the others are shown.
    if (event) out.push_back(std::move(*event));
  }
  return out;
}

}  // namespace dmremap::format
