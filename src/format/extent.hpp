// SPDX-License-Identifier: GPL-2.0-or-later
// One entry of the table: a run of main's sectors that share one state. Memory form, 24 bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/spare_address.hpp"
#include "base/units.hpp"

namespace dmremap::format {

// States of a main sector (docs/architecture.md, "States"). Sectors without an extent are good.
enum class State : std::uint8_t {
  good = 0,     // never stored
  suspect = 1,  // main serves it, far slower than its neighbours or doubted by a list: rechecked
  lost = 2,     // main holds the only version and cannot read it
  gone = 3,     // a newer version than main's was on a spare and is unreadable: main is never asked
  remapped = 4,  // the spare holds the data
  retired = 5,   // no main sector at all: spare sectors that must not be used again
};

[[nodiscard]] std::string_view name_of(State state);

// Limits of the packed fields.
inline constexpr std::uint64_t kMaxSector = (std::uint64_t{1} << 40U) - 1;         // 512 TiB
inline constexpr std::uint64_t kMaxExtentSectors = (std::uint64_t{1} << 24U) - 1;  // 8 GiB

// An address on a spare in the low 48 bits of a word: sector : 40, index : 8.
[[nodiscard]] constexpr std::uint64_t packed(SpareAddress address) {
  return address.sector.value | static_cast<std::uint64_t>(address.index) << 40U;
}
// Of the low 48 bits, whatever the others are.
[[nodiscard]] constexpr SpareAddress unpacked_spare(std::uint64_t word) {
  return {SpareIndex{static_cast<std::uint8_t>(word >> 40U & 0xffU)}, {word & kMaxSector}};
}

// `main` is the run of main's sectors; it is 0 for retired extents. `spare` is where the data lies
// on the spare; it is 0 unless the extent is remapped or retired. An extent also keeps the evidence
// of its origin: cause(), bound_sequence() and bound_time().
class Extent {
 public:
  Extent() = default;
  // Requires main.first and spare.sector <= kMaxSector, 1 <= count <= kMaxExtentSectors.
  Extent(State state, SectorRange main, SpareAddress spare = {});

  [[nodiscard]] State state() const { return static_cast<State>((spare_word_ >> 48U) & 0xffU); }
  [[nodiscard]] SectorRange main() const {
    return {{main_word_ & kMaxSector}, {main_word_ >> 40U}};
  }
  [[nodiscard]] SpareRange spare() const {
    return {unpacked_spare(spare_word_), {main_word_ >> 40U}};
  }

  // The evidence of its origin: the errno that caused it (0 if it was made by hand or imported),
  // the low 32 bits of the sequence of the commit that bound it, and the wall clock seconds then
  // (for people; they wrap in 2106).
  [[nodiscard]] std::uint8_t cause() const { return static_cast<std::uint8_t>(spare_word_ >> 56U); }
  [[nodiscard]] std::uint32_t bound_sequence() const { return bound_sequence_; }
  [[nodiscard]] std::uint32_t bound_time() const { return bound_time_; }
  Extent& with_evidence(int cause_errno, std::uint64_t sequence, std::uint64_t wall_ns);

  // The part of this extent that `range` (of main sectors) covers, with the spare address moved
  // accordingly. Requires an overlap, and an extent that is not retired.
  [[nodiscard]] Extent slice(SectorRange range) const;
  // True if `next` continues this extent in state, place and evidence, so that one entry can hold
  // both.
  [[nodiscard]] bool joins(const Extent& next) const;
  // Requires joins(next).
  [[nodiscard]] Extent joined(const Extent& next) const;

  // The fields of an extent, for code that packs extents more closely. `place` is spare sector :
  // 40, spare index : 8, state : 8, cause : 8.
  struct Parts {
    Sector first;
    std::uint32_t count = 0;
    std::uint64_t place = 0;
    std::uint32_t bound_sequence = 0;
    std::uint32_t bound_time = 0;
  };
  [[nodiscard]] Parts parts() const {
    return {main().first, static_cast<std::uint32_t>(main_word_ >> 40U), spare_word_,
            bound_sequence_, bound_time_};
  }
  // Requires a value that parts() returned.
  explicit Extent(const Parts& parts)
      : main_word_(parts.first.value | std::uint64_t{parts.count} << 40U),
        spare_word_(parts.place),
        bound_sequence_(parts.bound_sequence),
        bound_time_(parts.bound_time) {}

  bool operator==(const Extent&) const = default;

 private:
  friend class ExtentCodec;
  std::uint64_t main_word_ = 0;   // main sector : 40, count : 24
  std::uint64_t spare_word_ = 0;  // spare sector : 40, spare index : 8, state : 8, cause : 8
  std::uint32_t bound_sequence_ = 0;
  std::uint32_t bound_time_ = 0;
};
static_assert(sizeof(Extent) == 24);

}  // namespace dmremap::format
