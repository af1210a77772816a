// SPDX-License-Identifier: GPL-2.0-or-later
// The progress of a copy: the states of a mapfile, by sector. A value, not thread-safe.
//
// The mapfile names the state of the set that it belongs to. Sectors copied from another state are
// not trusted, because the set may have been written to since. Sectors copied from this state are
// not trusted before they were compared again (non_scraped until then), because the target may have
// changed since.
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

// The state of a running set, and the target of its copy. If two stamps are equal, the finished
// sectors have equal contents.
struct CopyStamp {
  Uuid set_uuid;
  Uuid run;                  // names one opening of the set
  std::uint64_t writes = 0;  // how many writes users have made in it
  std::string target;        // target_identity: one word

  bool operator==(const CopyStamp&) const = default;
};

// Every sector of the copy has one status. `runs_` has the status of each run of equal sectors,
// keyed by the first of them; a run ends where the next one begins, and the last one at `size_`.
class CopyMap {
 public:
  using Status = lists::MapfileArea::Status;

  // A map of this size in which everything is untried.
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
  std::map<Sector, Status> runs_;  // keyed by first sector; one run begins at 0
};

// The stamp of a mapfile that CopyMap::print wrote; empty for other mapfiles.
[[nodiscard]] std::optional<CopyStamp> stamp_of_mapfile(std::string_view text);
// The map with which a copy goes on: sectors that the mapfile calls finished, in whole sectors, are
// non_scraped, those that failed are non_trimmed still, and everything else is untried. Errors:
// those of parse_mapfile; usage, if it is the mapfile of a larger disk.
[[nodiscard]] Result<CopyMap> resume_map(std::string_view text, const std::string& name,
                                         SectorCount size);

}  // namespace dmremap::transfer
