// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/leaf.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace dmremap::table {

using format::Extent;
using format::State;

static_assert(format::kMaxExtentSectors < std::uint64_t{1} << 24U, "3 + 5 + 16 bits of length");
static_assert(static_cast<unsigned>(State::retired) < 8, "3 bits of state");

Leaf::Leaf(std::span<const Extent> extents) : Leaf(pack(extents)) {}

std::shared_ptr<const std::byte[]> Leaf::pack(std::span<const Extent> extents) {
  const std::size_t n = extents.size();
  DMREMAP_ASSERT(n >= 1 && n <= kExtents);
  auto bytes = std::make_shared_for_overwrite<std::byte[]>(kStartsAt + n * kExtentBytes);
  std::byte* const to = bytes.get();
  const auto put = [to](std::size_t at, auto value) { std::memcpy(to + at, &value, sizeof value); };
  const Sector first = extents.front().main().first;
  put(0, first.value);
  put(kSizeAt, static_cast<std::uint32_t>(n));
  for (std::size_t i = 0; i < n; ++i) {
    const Extent::Parts parts = extents[i].parts();
    const SectorCount from_first = parts.first - first;
    DMREMAP_ASSERT(from_first < kSpan);
    const std::uint64_t start = from_first.value << kCountHighBits | parts.count >> 21U;
    const std::uint64_t middle = std::uint64_t{parts.count >> 16U & kCountMiddleMask};
    put(kStartsAt + 4 * i, static_cast<std::uint32_t>(start));
    put(kStartsAt + 4 * n + 8 * i, parts.place | middle << kCountMiddleShift);
    put(kStartsAt + 12 * n + 2 * i, static_cast<std::uint16_t>(parts.count));
    put(kStartsAt + 14 * n + 4 * i, parts.bound_sequence);
    put(kStartsAt + 18 * n + 4 * i, parts.bound_time);
  }
  return bytes;
}

std::size_t LeafView::last_begun(Sector sector) const {
  const std::uint64_t from_first = std::min((sector - first()).value, kSpan.value - 1);
  // As large as a start there can be, whatever the length.
  const auto key = static_cast<std::uint32_t>(from_first << kCountHighBits | 7U);
  const std::byte* at = bytes_ + kStartsAt;
  for (std::size_t n = size(); n > 1;) {
    const std::size_t half = n / 2;
    std::uint32_t start = 0;
    std::memcpy(&start, at + 4 * half, sizeof start);
    at = half_the_time(start <= key) ? at + 4 * half : at;
    n -= half;
  }
  return static_cast<std::size_t>(at - (bytes_ + kStartsAt)) / 4;
}

SectorRange LeafView::main(std::size_t i) const {
  const std::uint64_t high = start(i) & ((1U << kCountHighBits) - 1);
  const std::uint64_t middle = word(i) >> kCountMiddleShift & kCountMiddleMask;
  return {first_of(i), {high << 21U | middle << 16U | count_low(i)}};
}

Extent LeafView::operator[](std::size_t i) const {
  const SectorRange range = main(i);
  const std::size_t n = size();
  return Extent(Extent::Parts{range.first, static_cast<std::uint32_t>(range.count.value),
                              word(i) & ~(kCountMiddleMask << kCountMiddleShift),
                              load<std::uint32_t>(kStartsAt + 14 * n + 4 * i),
                              load<std::uint32_t>(kStartsAt + 18 * n + 4 * i)});
}

}  // namespace dmremap::table
