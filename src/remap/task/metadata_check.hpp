// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the metadata copies again while the set runs, and mends what is damaged: the scan's part of
// the engine that concerns the metadata. When that is done is decided elsewhere (src/health).
//
// All is done between two commits, by the thread that makes them, one copy at a time. What is
// damaged is mended by two commits of what the set has anyway, one of each column: they write it as
// every commit does, so a crash leaves what it leaves of any other (metadata/commit_writer.hpp).
#pragma once

#include <array>

#include "metadata/store.hpp"
#include "remap/data_path.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

// Thread-safe.
class MetadataCheck {
 public:
  // Both outlive this.
  MetadataCheck(DataPath& path, Remapper& remapper);

  // As Admin's check_metadata() and mend_metadata().
  Result<unsigned> check(unsigned copy);
  Result<unsigned> mend();

 private:
  Result<metadata::SlotDamage> look_at(unsigned copy);

  DataPath& path_;
  Remapper& remapper_;
  Mutex mutex_;  // one call at a time
  // By copy, as last looked at.
  std::array<metadata::SlotDamage, format::kCopies> damage_{};
};

}  // namespace dmremap::remap
