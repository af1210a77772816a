// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/task/metadata_check.hpp"

#include <algorithm>
#include <mutex>

#include <fmt/format.h>

namespace dmremap::remap {

namespace {

unsigned count_of(const metadata::SlotDamage& damage) {
  return static_cast<unsigned>(std::ranges::count(damage, true));
}

}  // namespace

MetadataCheck::MetadataCheck(DataPath& path, Remapper& remapper)
    : path_(path), remapper_(remapper), mutex_(path.scheduling) {}

Result<metadata::SlotDamage> MetadataCheck::look_at(unsigned copy) {
  auto found = remapper_.run_copy_check(copy);
  if (found) damage_[copy] = *found;
  return found;
}

Result<unsigned> MetadataCheck::check(unsigned copy) {
  const std::lock_guard lock(mutex_);
  const auto found = look_at(copy);
  if (!found) return failure_of(found);
  return count_of(*found);
}

Result<unsigned> MetadataCheck::mend() {
  const std::lock_guard lock(mutex_);
  const auto before = damage_;
  const auto is_sound = [](const metadata::SlotDamage& copy) { return count_of(copy) == 0; };
  if (std::ranges::all_of(before, is_sound)) return 0U;
  const RecordEdit nothing = [](format::Records&, const table::Table&) {};
  for (unsigned column = 0; column < format::kSlots; ++column) {
    if (const Outcome outcome = remapper_.run_record(nothing); outcome != Outcome::done) {
      return error_of(outcome, path_);
    }
  }
  // Only what reads as it should now is mended.
  unsigned mended = 0;
  unsigned left = 0;
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (is_sound(before[copy])) continue;
    const auto now = look_at(copy);
    if (!now) return failure_of(now);
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      if (before[copy][slot]) ++((*now)[slot] ? left : mended);
    }
  }
  const auto tell = [this](const char* what, unsigned count) {
    if (count == 0) return;
    path_.emit(format::EventKind::repair, Severity::warning, {}, 0,
               fmt::format("metadata slots {}: {}", what, count));
  };
  tell("mended", mended);
  tell("that are damaged and cannot be mended", left);
  return mended;
}

}  // namespace dmremap::remap
