// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/main_evidence.hpp"

#include <algorithm>
#include <optional>

#include "discovery/run_memory.hpp"

namespace dmremap::discovery {

LastRunEvidence evidence_of_last_run(const format::Content& content,
                                     const metadata::CommitName& winner,
                                     const std::string& memory_path) {
  LastRunEvidence out;
  if (content.health.clean) {
    if (content.evidence) out.blocks = remap::from_format(*content.evidence);
  } else if (!memory_path.empty()) {
    const RunName name{content.identity.set_uuid, boot_id(), 0, content.identity.main.size};
    const auto killed = read_run_memory(memory_path, name);
    // With another term a later run, on another machine perhaps, has written to main since.
    if (killed && killed->term == winner.term) {
      out.blocks = killed->evidence;
      out.of_killed_run = true;
    }
  }
  std::erase_if(out.blocks, [&](const remap::BlockHash& one) {
    return std::ranges::any_of(content.extents, [&](const format::Extent& extent) {
      return extent.main().overlaps(one.block);
    });
  });
  return out;
}

}  // namespace dmremap::discovery
