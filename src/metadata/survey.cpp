// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/survey.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"
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

bool is_of(const SlotReading& slot, const Owner& owner) {
  return slot.seal.check == format::SealCheck::ok && slot.seal.seal.set_uuid == owner.first &&
         slot.seal.seal.device_uuid == owner.second;
}

// The facts on which the decision about one set rests. Slots of other sets, and seals that lie in a
// wrong place, stay unsealed: they prove nothing, and may have replaced anything.
SlotFacts facts_of(const Readings& readings, const Owner& owner) {
  SlotFacts facts{};
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      const SlotReading& reading = readings[copy][slot];
      if (!is_of(reading, owner) || !reading.in_place) continue;
      const format::Seal& seal = reading.seal.seal;
      facts[copy][slot] = {true, reading.body.has_value(), name_of(seal)};
    }
  }
  return facts;
}

// The slots as they read if the copies lie at `positions`.
struct Layout {
  format::CopyPositions positions{};
  Readings readings;
};

// A set that may be the one on this device: `seals` seals in their place name it, and `decision` is
// what they say about it. `layout` is where they were read.
struct Candidate {
  Owner owner;
  const Layout* layout = nullptr;
  unsigned seals = 0;
  Decision decision;
};

using SealCounts = std::map<std::pair<Owner, format::CopyPositions>, unsigned>;

// Counts the seals in their place by the set, device and positions that they name.
SealCounts count_seals(const Readings& readings, unsigned copies) {
  SealCounts out;
  for (unsigned copy = 0; copy < copies; ++copy) {
    for (const SlotReading& slot : readings[copy]) {
      if (slot.seal.check != format::SealCheck::ok || !slot.in_place) continue;
      const format::Seal& seal = slot.seal.seal;
      ++out[{{seal.set_uuid, seal.device_uuid}, seal.positions}];
    }
  }
  return out;
}

// What the seals at the places of the far copies name, wherever they belong.
std::vector<format::CopyPositions> positions_named_by_far_seals(const Layout& layout) {
  std::vector<format::CopyPositions> out;
  for (unsigned copy = format::kNearCopies; copy < format::kCopies; ++copy) {
    for (const SlotReading& slot : layout.readings[copy]) {
      if (slot.seal.check == format::SealCheck::ok) out.push_back(slot.seal.seal.positions);
    }
  }
  return out;
}

// The positions of the far copies follow from the size of the device when the set was created, and
// every seal records them. So the near copies, which always lie in the same places, are read first,
// and the far ones where each set that they name has them. If no near seal checks, the far copies
// are looked for where a set created at today's size has them; and where the seals say that lie
// there, even out of their place, as the signposts of a spare that has grown do.
std::vector<Layout> read_layouts(SlotReader& reader, SectorCount size) {
  Layout near{format::copy_positions(size), {}};
  read_copies(reader, near.positions, 0, format::kNearCopies, near.readings);
  std::vector<Layout> out;
  const auto add = [&](const format::CopyPositions& positions) {
    if (std::ranges::any_of(out,
                            [&](const Layout& known) { return known.positions == positions; })) {
      return;
    }
    Layout& added = out.emplace_back(near);
    added.positions = positions;
    read_copies(reader, positions, format::kNearCopies, format::kCopies, added.readings);
  };
  for (const auto& [named, seals] : count_seals(near.readings, format::kNearCopies)) {
    add(named.second);
  }
  if (!out.empty()) return out;
  add(near.positions);
  for (const format::CopyPositions& positions : positions_named_by_far_seals(out.front())) {
    add(positions);
  }
  return out;
}

std::vector<Candidate> candidates_in(const std::vector<Layout>& layouts) {
  std::vector<Candidate> out;
  for (const Layout& layout : layouts) {
    for (const auto& [named, seals] : count_seals(layout.readings, format::kCopies)) {
      // Seals with other positions are counted in the layout that has those.
      if (named.second != layout.positions) continue;
      out.push_back({named.first, &layout, seals, decide(facts_of(layout.readings, named.first))});
    }
  }
  return out;
}

// Chooses the set that is proved to be the newest in these places. Of two sets in the same places
// at most one can be: one of them leaves a quorum of slots unsettled. If none is proved, it is the
// set with the most seals. The second value is true if that does not single out one set.
std::pair<const Candidate*, bool> choose(const std::vector<Candidate>& candidates) {
  const auto rank = [](const Candidate& c) { return std::pair(c.decision.writable(), c.seals); };
  const Candidate* best = nullptr;
  bool tied = false;
  for (const Candidate& candidate : candidates) {
    if (best != nullptr && rank(candidate) < rank(*best)) continue;
    tied = best != nullptr && rank(candidate) == rank(*best);
    best = &candidate;
  }
  const auto proved = std::count_if(candidates.begin(), candidates.end(),
                                    [](const Candidate& c) { return c.decision.writable(); });
  if (tied || proved > 1) return {nullptr, true};
  return {best, false};
}

// The verdict for people. The order of the checks matters: each one presumes that those before it
// found nothing.
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

// True if a body of ours lies behind a seal that cannot be read. An unreadable seal alone proves
// nothing, because any disk may have bad sectors there. The first block of the body does prove it,
// by its checksum, its index and its set.
bool has_body_behind_unreadable_seal(io::BlockDevice& device, const Layout& layout) {
  AlignedBuffer block(format::kBlockBytes);
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      if (!layout.readings[copy][slot].seal_unreadable) continue;
      const Sector first = format::body_sector(layout.positions, {copy, slot});
      if (!device.read(first, block.span()).ok()) continue;
      const auto decoded = format::decode_body(block.span());
      // Any other fault than that of the block itself means that the block is one of ours.
      const auto* const fault = std::get_if<format::BodyFault>(&decoded);
      if (fault == nullptr || *fault != format::BodyFault::block) return true;
    }
  }
  return false;
}

bool is_content_of_others(const SlotReading& slot) {
  return !slot.seal_unreadable && slot.seal.check == format::SealCheck::corrupt;
}

// `create` seals every slot, and the near copies of every set lie in the same places. So two near
// copies that read as something else mean that there is no set, or that another program wrote over
// it. One alone may be the first block of a partition table, written by a program that found the
// disk "not initialised". The far copies of a spare that has grown lie elsewhere, so that what is
// read in their usual places rules nothing out.
Traces traces_in(io::BlockDevice& device, const Layout& layout) {
  unsigned unreadable = 0;
  unsigned others = 0;
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    const auto& slots = layout.readings[copy];
    if (std::ranges::any_of(slots, [](const SlotReading& s) { return s.seal.has_magic; })) {
      return Traces::ours;
    }
    if (std::ranges::any_of(slots, &SlotReading::seal_unreadable)) ++unreadable;
    if (copy < format::kNearCopies && std::ranges::any_of(slots, is_content_of_others)) ++others;
  }
  if (unreadable > 0 && has_body_behind_unreadable_seal(device, layout)) return Traces::ours;
  return unreadable >= 2 && others < 2 ? Traces::unreadable : Traces::none;
}

// Puts the report together, of `chosen`, or of a device without a set if that is null.
Survey make_survey(const Layout& layout, const Candidate* chosen) {
  Survey out;
  out.positions = layout.positions;
  std::optional<Owner> owner;
  if (chosen != nullptr) {
    owner = chosen->owner;
    out.set_uuid = owner->first;
    out.spare_uuid = owner->second;
    out.decision = chosen->decision;
    out.reason = reason_of(out.decision);
  } else {
    out.reason = "it holds no valid seal of a set";
  }
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    CopyReport report;
    report.index = copy;
    report.place = {out.positions[copy], format::kCopySectors};
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      const SlotReading& reading = layout.readings[copy][slot];
      SlotReport& to = report.slots[slot];
      to = report_on(reading);
      to.verdict = verdict_on(reading, owner, out.decision.winner);
      to.settled = out.decision.settled[copy][slot];
      to.whole = to.verdict == Verdict::good || to.verdict == Verdict::stale;
      out.newer_format = out.newer_format || reading.newer_body ||
                         reading.seal.check == format::SealCheck::newer_format;
      // Only slots of the winner are good, and they all hold the same content.
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
  nothing.reason = "the device is smaller than any spare";
  if (size < format::kMinSpareSize) return nothing;

  SlotReader reader(device);
  const std::vector<Layout> layouts = read_layouts(reader, size);
  // If no seal can be read at all, that is a fault of the device and says nothing of its metadata.
  // All layouts share the near copies, so the first one tells.
  const Readings& first = layouts.front().readings;
  if (std::all_of(first.begin(), first.end(), [](const auto& copy) {
        return copy[0].seal_unreadable && copy[1].seal_unreadable;
      })) {
    return fail(ErrorCode::io, "not one metadata copy can be read", device.path(),
                "check cable, power and the kernel log");
  }
  const std::vector<Candidate> candidates = candidates_in(layouts);
  const auto [chosen, tied] = choose(candidates);
  if (tied) {
    return fail(ErrorCode::ambiguous,
                "holds seals of several sets, and it cannot be told whose it is", device.path(),
                "look with `dmremap examine`");
  }
  if (chosen != nullptr) return make_survey(*chosen->layout, chosen);
  Survey out = make_survey(layouts.front(), nullptr);
  out.traces = traces_in(device, layouts.front());
  return out;
}

std::optional<std::string> describe_traces(const Survey& survey) {
  switch (survey.traces) {
    case Traces::none:
      break;
    case Traces::unreadable:
      return "cannot be read where the metadata of a spare would lie";
    case Traces::ours:
      return "holds damaged dm-remap metadata";
  }
  return std::nullopt;
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
    return refuse(ErrorCode::no_metadata, "no dm-remap metadata: " + survey.reason,
                  "name the spare of the set");
  }
  switch (survey.decision.standing) {
    case Standing::read_write:
      break;
    case Standing::no_winner:
      return refuse(ErrorCode::metadata_doubtful, "doubtful: " + survey.reason,
                    "bring back what is missing: there is nothing to serve, nor to keep");
    case Standing::doubtful:
      return refuse(ErrorCode::metadata_doubtful, "doubtful: " + survey.reason,
                    "look with `dmremap examine`; `start --read-only --stale-ok` serves what is "
                    "there and writes nothing");
    case Standing::fork:
      return refuse(ErrorCode::metadata_fork, "forked: " + survey.reason,
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
