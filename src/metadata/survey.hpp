// SPDX-License-Identifier: GPL-2.0-or-later
// Reads every slot of a spare and tells which set it holds, which commit is the newest, and whether
// that is proved. Never writes anything.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "format/content.hpp"
#include "format/layout.hpp"
#include "format/seal.hpp"
#include "format/verdict.hpp"
#include "io/block_device.hpp"
#include "metadata/decision.hpp"

namespace dmremap::metadata {

// One slot as it was found. `settled` means that it cannot hide a later commit (decision.hpp), and
// `whole` that seal and body check and agree.
struct SlotReport {
  format::Verdict verdict = format::Verdict::empty;
  bool settled = false;
  bool whole = false;
  // The seal, if it checks; it may be of another set or belong to another place.
  std::optional<format::Seal> seal;
  // Counts from the body; zero if the slot is not whole.
  std::uint64_t remapped_sectors = 0;
  std::uint64_t lost_sectors = 0;  // lost and gone
};

// Both slots of one copy, and the sectors that it occupies.
struct CopyReport {
  unsigned index = 0;  // in address order: 0-4 near, 5-7 far
  SectorRange place;
  std::array<SlotReport, 2> slots;  // A, B
};

// Signs of dm-remap metadata on a device on which no seal checks.
enum class Traces {
  // No sign of a set, and enough other content to rule one out.
  none,
  // Several copies cannot be read, and nothing that can be read rules a set out.
  // The device may be a spare whose copies died, or any disk with bad sectors in
  // those places.
  unreadable,
  // There is a seal block with our magic that does not check, or a body behind an unreadable seal.
  ours,
};

// Everything that the metadata of a device says. `positions` is where the copies lie, by the seals
// or else by the size of the device. `spare_uuid` is the device that the seals name. `decision`
// names the winner and says whether the set may be written to.
struct Survey {
  format::CopyPositions positions{};
  // The set that the seals name; empty if no seal checks anywhere.
  std::optional<Uuid> set_uuid;
  std::optional<Uuid> spare_uuid;
  std::vector<CopyReport> copies;  // always eight, or empty if the device is too small for any
  Decision decision;
  // A sentence for people: why this is the winner, or why there is none.
  std::string reason;
  // The winner's content. For a doubtful or forked set it is that of the best candidate, so that it
  // can be shown and, on demand, served read-only.
  std::optional<format::Content> content;
  // A seal of a newer incompatible format was seen, so the set may only be looked at.
  bool newer_format = false;
  // The winner has features that forbid this version to write.
  bool newer_read_only = false;
  // Meaningful only without a set.
  Traces traces = Traces::none;

  [[nodiscard]] bool has_set() const { return set_uuid.has_value(); }
};

// Surveys the set on `device`. If seals name several sets, it is the one that is writable, else the
// one with the most seals. Errors: ambiguous if that does not single out one set; io if not one
// seal can be read.
[[nodiscard]] Result<Survey> survey(io::BlockDevice& device);

// A phrase for messages, to follow the name of a device that shows traces of a set but none that
// can be used. Empty if it shows no trace.
[[nodiscard]] std::optional<std::string> describe_traces(const Survey& survey);

// The error that `start` gives for a set that is not writable; empty if it is writable.
[[nodiscard]] std::optional<Error> refusal(const Survey& survey, const std::string& where);

}  // namespace dmremap::metadata
