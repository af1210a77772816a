// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/survey.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "metadata/slot_reader.hpp"

namespace dmremap::metadata {

namespace {

using format::Verdict;
using Readings = std::array<std::array<SlotReading, format::kSlots>, format::kCopies>;
using Owner = std::pair<Uuid, Uuid>;  // set, device

void read_copies(SlotReader& reader, const format::CopyPositions& positions, unsigned from,
                 unsigned to, Readings& readings) {
  for (unsigned copy = from; copy < to; ++copy) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      const format::SlotAddress at{copy, slot};
      readings[copy][slot] = reader.read(at, format::slot_sector(positions, at));
    }
  }
}

// Whose spare this is: the owner that most seals in their place name.
struct Ownership {
  std::optional<Owner> owner;
  bool tied = false;
  format::CopyPositions positions{};
};

Ownership owner_of(const Readings& readings, unsigned copies) {
  std::map<Owner, unsigned> votes;
  std::map<Owner, format::CopyPositions> positions;
  for (unsigned copy = 0; copy < copies; ++copy) {
    for (const SlotReading& slot : readings[copy]) {
      if (slot.seal.check != format::SealCheck::ok || !slot.in_place) continue;
      const Owner owner{slot.seal.seal.set_uuid, slot.seal.seal.device_uuid};
      ++votes[owner];
      positions.emplace(owner, slot.seal.seal.positions);
    }
  }
  Ownership out;
  unsigned most = 0;
  for (const auto& [owner, count] : votes) {
    out.tied = count == most || (count < most && out.tied);
    if (count <= most) continue;
    most = count;
    out.owner = owner;
    out.tied = false;
    out.positions = positions.at(owner);
  }
  return out;
}

bool is_of(const SlotReading& slot, const Owner& owner) {
  return slot.seal.check == format::SealCheck::ok && slot.seal.seal.set_uuid == owner.first &&
         slot.seal.seal.device_uuid == owner.second;
}

SlotFacts facts_of(const Readings& readings, const Owner& owner) {
  SlotFacts facts{};
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      const SlotReading& reading = readings[copy][slot];
      if (!is_of(reading, owner) || !reading.in_place) continue;
      const format::Seal& seal = reading.seal.seal;
      facts[copy][slot] = {true, reading.body.has_value(),
                           CommitName{seal.sequence, seal.term, seal.commit, seal.wall_ns}};
    }
  }
  return facts;
}

Verdict verdict_on(const SlotReading& slot, const std::optional<Owner>& owner,
                   const std::optional<CommitName>& winner) {
  if (slot.seal_unreadable || slot.body_unreadable) return Verdict::unreadable;
  switch (slot.seal.check) {
    case format::SealCheck::empty:
      return Verdict::empty;
    case format::SealCheck::corrupt:
      return Verdict::corrupt;
    case format::SealCheck::newer_format:
      return Verdict::foreign;
    case format::SealCheck::ok:
      break;
  }
  if (!owner || !is_of(slot, *owner)) return Verdict::foreign;
  if (!slot.in_place) return Verdict::misplaced;
  if (!slot.body) return Verdict::torn;
  return winner && slot.seal.seal.commit == winner->id ? Verdict::good : Verdict::stale;
}

SlotReport report_on(const SlotReading& slot) {
  SlotReport out;
  if (slot.seal.check == format::SealCheck::ok) out.seal = slot.seal.seal;
  if (!slot.body) return out;
  for (const format::Extent& extent : slot.body->content.extents) {
    const std::uint64_t sectors = extent.main().count.value;
    if (extent.state() == format::State::remapped) out.remapped_sectors += sectors;
    if (extent.state() == format::State::lost || extent.state() == format::State::gone) {
      out.lost_sectors += sectors;
    }
  }
  return out;
}

Survey conclude(const Readings& readings, const Ownership& ownership) {
  Survey out;
  out.positions = ownership.positions;
  if (ownership.owner) {
    out.set_uuid = ownership.owner->first;
    out.spare_uuid = ownership.owner->second;
    out.decision = decide(facts_of(readings, *ownership.owner));
  } else {
    out.decision.reason = "no seal of a dm-remap set that checks";
  }
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    CopyReport report;
    report.index = copy;
    report.place = {out.positions[copy], format::kCopySectors};
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      const SlotReading& reading = readings[copy][slot];
      SlotReport& to = report.slots[slot];
      to = report_on(reading);
      to.verdict = verdict_on(reading, ownership.owner, out.decision.winner);
      to.settled = out.decision.settled[copy][slot];
      to.whole = to.verdict == Verdict::good || to.verdict == Verdict::stale;
      out.newer_format = out.newer_format || reading.newer_body ||
                         reading.seal.check == format::SealCheck::newer_format;
      out.traces = out.traces || reading.seal_unreadable || reading.seal.has_magic;
      if (to.verdict == Verdict::good && !out.content) {
        out.content = reading.body->content;
        out.newer_read_only = (reading.seal.seal.features.read_only_compatible &
                               ~format::kKnownFeatures.read_only_compatible) != 0;
      }
    }
    out.copies.push_back(report);
  }
  return out;
}

}  // namespace

Result<Survey> survey(io::BlockDevice& device) {
  const SectorCount size = device.geometry().size;
  Survey nothing;
  nothing.decision.reason = "the device is smaller than any spare";
  if (size < format::kMinSpareSize) return nothing;

  SlotReader reader(device);
  Readings readings;
  format::CopyPositions positions = format::copy_positions(size);
  read_copies(reader, positions, 0, format::kNearCopies, readings);
  // The far copies lie where the device ended when the set was made; the near seals know.
  if (const Ownership near = owner_of(readings, format::kNearCopies); near.owner) {
    positions = near.positions;
  }
  read_copies(reader, positions, format::kNearCopies, format::kCopies, readings);

  const bool all_unreadable = std::all_of(readings.begin(), readings.end(), [](const auto& copy) {
    return copy[0].seal_unreadable && copy[1].seal_unreadable;
  });
  if (all_unreadable) {
    return fail(ErrorCode::io, "not one metadata copy can be read", device.path(),
                "check cable, power and the kernel log");
  }
  Ownership ownership = owner_of(readings, format::kCopies);
  if (ownership.tied) {
    return fail(ErrorCode::ambiguous, "holds equally many seals of several sets", device.path());
  }
  ownership.positions = positions;
  return conclude(readings, ownership);
}

std::optional<Error> refusal(const Survey& survey, const std::string& where) {
  const auto refuse = [&](ErrorCode code, std::string what, std::string hint) {
    return Error{code, std::move(what), where, std::move(hint)};
  };
  if (survey.newer_format) {
    return refuse(ErrorCode::metadata_newer, "metadata of a newer version of dm-remap",
                  "use that version; nothing was written");
  }
  if (!survey.has_set()) {
    return refuse(ErrorCode::no_metadata, "no dm-remap metadata: " + survey.decision.reason,
                  "name the spare of the set");
  }
  switch (survey.decision.standing) {
    case Standing::read_write:
      break;
    case Standing::no_winner:
    case Standing::doubtful:
      return refuse(ErrorCode::metadata_doubtful, "doubtful: " + survey.decision.reason,
                    "look with `dmremap examine`; `start --read-only --stale-ok` serves what is "
                    "there and writes nothing");
    case Standing::fork:
      return refuse(ErrorCode::metadata_fork, "forked: " + survey.decision.reason,
                    "look with `dmremap examine`; `start --read-only --stale-ok` serves one side "
                    "and writes nothing");
  }
  if (survey.newer_read_only) {
    return refuse(ErrorCode::metadata_newer,
                  "metadata with features that this version may read but not write",
                  "use a newer version, or `start --read-only`");
  }
  return std::nullopt;
}

}  // namespace dmremap::metadata
