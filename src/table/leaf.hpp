// SPDX-License-Identifier: GPL-2.0-or-later
// A leaf of the table: some neighbouring extents, packed to 22 bytes each in one block of memory,
// immutable.
//
//   first sector : 8, how many : 4 | starts : 4 each | words : 8 each | counts : 2 each |
//   sequences : 4 each | times : 4 each
//
// A search reads nothing but the starts, of which 16 share a cache line, and no step of it is a
// branch to be guessed: docs/decisions/010-packed-leaves.md.
//
// A start is 29 bits from the leaf's first sector and, below them, the highest 3 bits of the
// extent's 24-bit length; the middle 5 are the 5 that no state needs of the word's state byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "base/units.hpp"
#include "format/extent.hpp"

namespace dmremap::table {

// For a condition nobody can guess: the compiler then selects instead of jumping.
[[nodiscard]] inline bool half_the_time(bool condition) {
  return __builtin_expect_with_probability(static_cast<long>(condition), 1L, 0.5) != 0;
}

// The bytes of a leaf that something else keeps alive. Any number of threads may read one.
class LeafView {
 public:
  static constexpr std::size_t kExtents = 256;
  // All extents of a leaf begin within 256 GiB of the first.
  static constexpr SectorCount kSpan{std::uint64_t{1} << 29U};

  [[nodiscard]] std::size_t size() const { return load<std::uint32_t>(kSizeAt); }
  [[nodiscard]] Sector first() const { return {load<std::uint64_t>(0)}; }
  // The last extent that begins at or before `sector`. Requires first() <= sector.
  [[nodiscard]] std::size_t last_begun(Sector sector) const;

  [[nodiscard]] Sector first_of(std::size_t i) const {
    return first() + SectorCount{start(i) >> kCountHighBits};
  }
  [[nodiscard]] SectorRange main(std::size_t i) const;
  [[nodiscard]] format::State state(std::size_t i) const {
    return static_cast<format::State>(word(i) >> kStateShift & kStateMask);
  }
  // For remapped extents.
  [[nodiscard]] SpareAddress spare(std::size_t i) const { return format::unpacked_spare(word(i)); }
  [[nodiscard]] format::Extent operator[](std::size_t i) const;

  // The same for two leaves that share their memory.
  [[nodiscard]] const void* identity() const { return bytes_; }
  // Begins to bring in what a search reads, all at once.
  void prefetch() const {
    constexpr std::size_t kLine = 64;
    for (std::size_t at = 0; at < kStartsAt + kExtents * 4; at += kLine) {
      __builtin_prefetch(bytes_ + at);
    }
  }

 protected:
  explicit LeafView(const std::byte* bytes) : bytes_(bytes) {}

  static constexpr std::size_t kSizeAt = 8;
  static constexpr std::size_t kStartsAt = 12;
  static constexpr std::size_t kExtentBytes = 22;
  static constexpr unsigned kCountHighBits = 3;
  static constexpr unsigned kStateShift = 48;
  static constexpr std::uint64_t kStateMask = 7;
  static constexpr unsigned kCountMiddleShift = 51;
  static constexpr std::uint64_t kCountMiddleMask = 31;

  template <typename T>
  [[nodiscard]] T load(std::size_t at) const {
    T value;
    std::memcpy(&value, bytes_ + at, sizeof value);
    return value;
  }
  [[nodiscard]] std::uint32_t start(std::size_t i) const {
    return load<std::uint32_t>(kStartsAt + 4 * i);
  }
  [[nodiscard]] std::uint64_t word(std::size_t i) const {
    return load<std::uint64_t>(kStartsAt + 4 * size() + 8 * i);
  }
  [[nodiscard]] std::uint32_t count_low(std::size_t i) const {
    return load<std::uint16_t>(kStartsAt + 12 * size() + 2 * i);
  }

  const std::byte* bytes_;
};

// A leaf with its memory. A value: copying shares.
class Leaf : public LeafView {
 public:
  // Requires 1 to kExtents extents, sorted and disjoint, that begin within kSpan.
  explicit Leaf(std::span<const format::Extent> extents);

 private:
  explicit Leaf(std::shared_ptr<const std::byte[]> memory)
      : LeafView(memory.get()), memory_(std::move(memory)) {}
  static std::shared_ptr<const std::byte[]> pack(std::span<const format::Extent> extents);

  std::shared_ptr<const std::byte[]> memory_;
};

}  // namespace dmremap::table
