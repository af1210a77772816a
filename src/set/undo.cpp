// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/undo.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace dmremap::set {

Undo::Undo(io::BlockDevice& device, const std::vector<SectorRange>& ranges) : device_(device) {
  for (const SectorRange& range : ranges) {
    Kept kept{range.first, AlignedBuffer(range.count.bytes())};
    if (device.read(kept.first, kept.bytes.span()).ok()) kept_.push_back(std::move(kept));
  }
}

Undo::~Undo() {
  if (kept_.empty()) return;
  bool whole = true;
  for (const Kept& kept : kept_) {
    if (device_.write(kept.first, kept.bytes.span()).ok()) continue;
    // A hole of an image on a full disk cannot be written, but need not be either.
    AlignedBuffer now(kept.bytes.size());
    whole = device_.read(kept.first, now.span()).ok() &&
            std::ranges::equal(now.span(), kept.bytes.span()) && whole;
  }
  whole = device_.flush().ok() && whole;
  if (!whole) log(Severity::error, device_.path() + ": could not be put back as it was");
}

io::IoStatus overwrite_with_zeros(io::BlockDevice& device, SectorRange range) {
  const AlignedBuffer zeros(range.count.bytes());
  return device.write(range.first, zeros.span());
}

}  // namespace dmremap::set
