// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses and amounts as distinct types, so that they cannot be confused.
//
// Every address of the system is in sectors of 512 bytes, whatever the logical block of a device
// is. Bytes appear only where memory is handled and inside the disk structures.
#pragma once

#include <compare>
#include <cstdint>

namespace dmremap {

inline constexpr std::uint64_t kSectorBytes = 512;
// Points in time and durations are in nanoseconds.
inline constexpr std::uint64_t kSecondNs = 1'000'000'000;

// A number of sectors.
struct SectorCount {
  std::uint64_t value = 0;

  [[nodiscard]] constexpr std::uint64_t bytes() const { return value * kSectorBytes; }
  [[nodiscard]] static constexpr SectorCount from_bytes(std::uint64_t bytes) {
    return {bytes / kSectorBytes};
  }
  constexpr auto operator<=>(const SectorCount&) const = default;
};

// The address of a sector on one device.
struct Sector {
  std::uint64_t value = 0;

  [[nodiscard]] constexpr std::uint64_t byte_offset() const { return value * kSectorBytes; }
  constexpr auto operator<=>(const Sector&) const = default;
};

constexpr SectorCount operator+(SectorCount a, SectorCount b) {
  return {a.value + b.value};
}
constexpr SectorCount operator-(SectorCount a, SectorCount b) {
  return {a.value - b.value};
}
constexpr Sector operator+(Sector a, SectorCount n) {
  return {a.value + n.value};
}
constexpr Sector operator-(Sector a, SectorCount n) {
  return {a.value - n.value};
}
constexpr SectorCount operator-(Sector a, Sector b) {
  return {a.value - b.value};
}

// A run of sectors: [first, end).
struct SectorRange {
  Sector first;
  SectorCount count;

  [[nodiscard]] constexpr Sector end() const { return first + count; }
  [[nodiscard]] constexpr bool empty() const { return count.value == 0; }
  [[nodiscard]] constexpr bool contains(Sector s) const { return s >= first && s < end(); }
  [[nodiscard]] constexpr bool contains(SectorRange r) const {
    return r.first >= first && r.end() <= end();
  }
  [[nodiscard]] constexpr bool overlaps(SectorRange r) const {
    return first < r.end() && r.first < end();
  }
  // The common part; empty (count 0) where there is none.
  [[nodiscard]] constexpr SectorRange intersect(SectorRange r) const {
    const Sector lo = first > r.first ? first : r.first;
    const Sector hi = end() < r.end() ? end() : r.end();
    return hi > lo ? SectorRange{lo, hi - lo} : SectorRange{lo, {0}};
  }
  constexpr auto operator<=>(const SectorRange&) const = default;
};

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

constexpr std::uint64_t align_down(std::uint64_t v, std::uint64_t a) {
  return v / a * a;
}
constexpr std::uint64_t align_up(std::uint64_t v, std::uint64_t a) {
  return (v + a - 1) / a * a;
}

}  // namespace dmremap
