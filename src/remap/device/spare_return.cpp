// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/spare_return.hpp"

#include <utility>

namespace dmremap::remap {

SpareReturn::SpareReturn(DataPath& path, Remapper* remapper, std::vector<SpareReopener*> reopeners,
                         std::chrono::milliseconds interval)
    : path_(path),
      remapper_(remapper),
      reopeners_(std::move(reopeners)),
      thread_(path.scheduling, interval, PeriodicThread::First::at_once) {}

void SpareReturn::begin() {
  if (std::exchange(begun_, true)) return;
  thread_.start("spare-return", [this] {
    for (SpareDevice& spare : path_.spares) {
      if (spare.trouble.found().first != SpareState::away) continue;
      look(spare, *reopeners_[position_of(spare.index)]);
    }
  });
}

void SpareReturn::look(SpareDevice& spare, SpareReopener& reopener) {
  const auto found = reopener.find();
  if (!found) {
    const bool absent = found.error().code == ErrorCode::missing_device;
    explain(spare, absent ? "" : found.error().message());
  } else if (reattach(spare, reopener, *found)) {
    explain(spare, "");
    path_.emit(format::EventKind::spare_away, Severity::info, {}, 0,
               "the spare is back: " + found->path);
    // Whether it takes writes is for SpareWatch to find out.
    spare.trouble.sign();
  }
  reopener.let_go();
}

bool SpareReturn::reattach(SpareDevice& spare, SpareReopener& reopener,
                           const SpareReopener::Found& found) {
  if (remapper_ != nullptr) return remapper_->run_reattachment(spare.index, reopener, found);
  // Without a store there is no commit that it could come between.
  spare.reattach([&reopener] { reopener.attach(); });
  return true;
}

void SpareReturn::explain(SpareDevice& spare, const std::string& refusal) {
  if (!spare.trouble.explain(refusal) || refusal.empty()) return;
  path_.emit(format::EventKind::spare_away, Severity::error, {}, 0, refusal);
}

}  // namespace dmremap::remap
