// SPDX-License-Identifier: GPL-2.0-or-later
// Reads every slot of a spare and says what it finds. Writes nothing, ever.
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

// One slot as found.
struct SlotReport {
  format::Verdict verdict = format::Verdict::empty;
  bool settled = false;
  bool whole = false;  // seal and body check and agree
  // Of a seal that checks, wherever it lies and whosoever it is.
  std::optional<format::Seal> seal;
  // Of a whole slot.
  std::uint64_t remapped_sectors = 0;
  std::uint64_t lost_sectors = 0;  // lost and gone
};

struct CopyReport {
  unsigned index = 0;  // in address order: 0-4 near, 5-7 far
  SectorRange place;
  std::array<SlotReport, 2> slots;  // A, B
};

// What a device shows of dm-remap metadata where no seal checks.
enum class Traces {
  // Nothing of ours, and enough that is not ours to say so.
  none,
  // Nothing of ours reads, but several copies cannot be read and what can be read contradicts no
  // set: the device may be a spare whose copies died, or any disk with bad sectors there.
  unreadable,
  // A seal block with our magic that does not check, or a body behind an unreadable seal.
  ours,
};

struct Survey {
  format::CopyPositions positions{};
  // The set the seals name; none: no seal anywhere that checks.
  std::optional<Uuid> set_uuid;
  std::optional<Uuid> spare_uuid;
  std::vector<CopyReport> copies;  // always eight, or empty if the device is too small for any
  Decision decision;
  // Why this winner, or why there is none; for people.
  std::string reason;
  // The winner's content; from a doubtful or forked set too (the best candidate), so that it can be
  // shown and, on demand, served read-only.
  std::optional<format::Content> content;
  // A seal of a newer incompatible format was seen: refuse everything but looking.
  bool newer_format = false;
  // The winner has features that forbid writing for this version.
  bool newer_read_only = false;
  // Meaningful only without a set.
  Traces traces = Traces::none;

  [[nodiscard]] bool has_set() const { return set_uuid.has_value(); }
};

// Of several sets that seals name, the one that is writable, else the one with the most seals.
// Errors: io only if not one seal of the device can be read; ambiguous if that does not tell.
[[nodiscard]] Result<Survey> survey(io::BlockDevice& device);

// What to tell people of a device that shows traces of a set but none that can be used; none where
// it shows no trace. One phrase that follows the device's name.
[[nodiscard]] std::optional<std::string> describe_traces(const Survey& survey);

// The error that `start` gives for a survey that is not writable; none if it is.
[[nodiscard]] std::optional<Error> refusal(const Survey& survey, const std::string& where);

}  // namespace dmremap::metadata
