// SPDX-License-Identifier: GPL-2.0-or-later
// How far a copy is: the states of a mapfile, by sector. A value, not thread-safe.
//
// The mapfile says of which state of the set it is. What was copied of another state is not
// trusted: the set may have been written to since. Nor is what was copied of this one, before it
// was compared again (non_scraped until then): the target may have changed since.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "base/uuid.hpp"
#include "lists/mapfile.hpp"

namespace dmremap::transfer {

// Of a running set and a target: equal stamps, equal contents of what is finished.
struct CopyStamp {
  Uuid set_uuid;
  Uuid run;                  // of one opening of the set
  std::uint64_t writes = 0;  // that users have made in it
  std::string target;        // target_identity: one word

  bool operator==(const CopyStamp&) const = default;
};

class CopyMap {
 public:
  using Status = lists::MapfileArea::Status;

  // All of it untried.
  explicit CopyMap(SectorCount size);

  void mark(SectorRange range, Status status);
  [[nodiscard]] std::vector<SectorRange> in(Status status) const;
  [[nodiscard]] SectorCount count(Status status) const;
  [[nodiscard]] SectorCount size() const { return size_; }

  // A mapfile that ddrescue and ddrescuelog accept.
  [[nodiscard]] std::string print(const CopyStamp& stamp) const;

 private:
  void split(Sector at);

  SectorCount size_;
  std::map<Sector, Status> runs_;  // by first sector; one begins at 0
};

// The stamp of a mapfile that CopyMap::print wrote; none, for others.
[[nodiscard]] std::optional<CopyStamp> stamp_of_mapfile(std::string_view text);
// What it calls finished and is of whole sectors is non_scraped, all else untried. Errors: those of
// parse_mapfile; usage, if it is of a larger disk.
[[nodiscard]] Result<CopyMap> resume_map(std::string_view text, const std::string& name,
                                         SectorCount size);

}  // namespace dmremap::transfer
