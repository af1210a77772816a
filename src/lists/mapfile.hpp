// SPDX-License-Identifier: GPL-2.0-or-later
// GNU ddrescue mapfiles, read and written.
// https://www.gnu.org/software/ddrescue/manual/ddrescue_manual.html, "Mapfile structure": comments;
// a line with position, status and pass of the rescue; then areas that adjoin, in bytes, each with
// a status. Numbers are decimal, 0x hexadecimal or 0 octal, as in C.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::lists {

struct MapfileArea {
  enum class Status : char {
    untried = '?',
    non_trimmed = '*',  // failed, as part of a larger read
    non_scraped = '/',  // failed as part of a larger read, its ends trimmed
    bad = '-',          // failed sector by sector
    finished = '+',
  };
  std::uint64_t first_byte = 0;
  std::uint64_t bytes = 0;
  Status status = Status::untried;

  // Every sector that it touches, not only those that it covers.
  [[nodiscard]] SectorRange sectors() const;
  bool operator==(const MapfileArea&) const = default;
};

// Any bytes give adjoining areas in order, or an error (usage) whose `where` is `name:LINE`. Areas
// with a failed status end at or before 2^40 sectors. An untried one may reach to the largest
// number, as ddrescue writes it for a device of unknown size.
[[nodiscard]] Result<std::vector<MapfileArea>> parse_mapfile(std::string_view text,
                                                             const std::string& name);

// Prints `areas`, which are such as parse_mapfile returns. Neighbours with the same status are
// joined and empty areas left out. The status line lets ddrescue begin anew with everything that is
// untried. `program` is named in the first comment.
[[nodiscard]] std::string print_mapfile(std::span<const MapfileArea> areas,
                                        std::string_view program);

}  // namespace dmremap::lists
