// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/narrow.hpp"

#include "base/assert.hpp"
#include "base/sector_parts.hpp"

namespace dmremap::remap {

Narrowing::Narrowing(SectorRange failed, SectorCount block, SectorCount unit)
    : whole_(failed),
      block_(block),
      unit_(unit),
      blocks_left_(failed),
      units_left_{failed.end(), {0}} {
  DMREMAP_ASSERT(!failed.empty() && block.value % unit.value == 0);
  // A request inside one block has been tried as that block already.
  if (block_at(failed.first) == failed) {
    blocks_left_ = {failed.end(), {0}};
    descend(failed);
  }
}

SectorRange Narrowing::block_at(Sector sector) const {
  return SectorRange{{align_down(sector.value, block_.value)}, block_}.intersect(whole_);
}

void Narrowing::descend(SectorRange block) {
  // There is nothing smaller to try.
  if (block.count <= unit_ || unit_ == block_) {
    append_run(failing_, block);
  } else {
    units_left_ = block;
  }
}

std::optional<SectorRange> Narrowing::next() {
  DMREMAP_ASSERT(!trying_);
  // The block that was begun is finished first, so that the failing runs come in order.
  if (!units_left_.empty()) {
    trying_ = SectorRange{units_left_.first, unit_};
    units_left_ = {trying_->end(), units_left_.count - unit_};
  } else if (!blocks_left_.empty()) {
    trying_ = block_at(blocks_left_.first);
    blocks_left_ = {trying_->end(), blocks_left_.end() - trying_->end()};
  }
  return trying_;
}

void Narrowing::report(bool ok) {
  DMREMAP_ASSERT(trying_);
  const SectorRange tried = *trying_;
  trying_.reset();
  if (ok) return;
  descend(tried);
}

std::vector<SectorRange> Narrowing::untried() const {
  std::vector<SectorRange> out;
  // A part that was handed out and not reported on counts as not tried.
  if (trying_) append_run(out, *trying_);
  if (!units_left_.empty()) append_run(out, units_left_);
  if (!blocks_left_.empty()) append_run(out, blocks_left_);
  return out;
}

}  // namespace dmremap::remap
