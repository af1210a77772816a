// SPDX-License-Identifier: GPL-2.0-or-later
// Which sectors of the disk are bad, and in what way. Pure values: no I/O, no clock, no locks.
//
// Kinds add up sector by sector: a later fault sets the kinds it names and leaves the others as
// they are. Two kinds need another to act on, and bring it along where a sector has none:
// until-written needs a read fault, flaky a read or a write fault.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/units.hpp"

namespace dmremap::lab {

// What is wrong with one sector. A default-made Fault is a good sector.
struct Fault {
  int read_errno = 0;          // reads fail with it; 0 = they do not
  int write_errno = 0;         // writes and zeroes fail with it; 0 = they do not
  bool until_written = false;  // a successful write ends the read fault (as the kernel's dm-dust)
  std::uint32_t slow_ms = 0;   // any request that touches the sector takes this long first
  std::optional<double> flaky{};  // chance, 0 to 1, that the read or write fault fires; unset = 1

  [[nodiscard]] bool none() const { return *this == Fault{}; }
  bool operator==(const Fault&) const = default;
};

// `old` with the kinds of `added` set on top, completed as described above.
[[nodiscard]] Fault overlay(const Fault& old, const Fault& added);

// A sector after it was successfully written.
[[nodiscard]] Fault after_write(const Fault& fault);

struct FaultRun {
  SectorRange range;
  Fault fault;
  bool operator==(const FaultRun&) const = default;
};

enum class Access { read, write };

struct Failure {
  int error = 0;     // errno of the first sector that fails
  Sector first_bad;  // its address; what lies before it is healthy
  bool operator==(const Failure&) const = default;
};

// Not thread-safe.
class FaultMap {
 public:
  void add(SectorRange range, const Fault& fault);
  void clear(SectorRange range);
  void clear() { pieces_.clear(); }
  void written(SectorRange range);

  // How long a request takes: as long as its slowest sector.
  [[nodiscard]] std::uint32_t delay_ms(SectorRange range) const;

  // Whether a request fails, and where. One draw in [0, 1) decides every flaky sector of the
  // request: a fault of chance P fires if draw < P.
  [[nodiscard]] std::optional<Failure> decide(SectorRange range, Access access, double draw) const;

  // In address order; neighbours with the same fault are one run.
  [[nodiscard]] std::vector<FaultRun> runs() const;
  [[nodiscard]] bool empty() const { return pieces_.empty(); }

 private:
  struct Piece {
    std::uint64_t end = 0;
    Fault fault;
  };
  // By first sector; disjoint, none empty, none without a fault.
  using Pieces = std::map<std::uint64_t, Piece>;

  // The first piece that ends after `sector`.
  [[nodiscard]] Pieces::const_iterator first_after(std::uint64_t sector) const;
  // Makes `sector` a boundary between pieces.
  void split_at(std::uint64_t sector);
  // Joins equal neighbours from the one before `first` to the one after `end`.
  void join(std::uint64_t first, std::uint64_t end);

  Pieces pieces_;
};

}  // namespace dmremap::lab
