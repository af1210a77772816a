// SPDX-License-Identifier: GPL-2.0-or-later
// Opening a spare of arbitrary bytes. A survey writes nothing. What it finds writable can be
// activated, and holds the same content afterwards; a commit after that is found too, even if the
// power goes at once. An activation that fails takes nothing away.
//
// Input: flags (1: two commits on all copies to begin with; 2: what is unflushed survives the power
// cut; 4: no commit after the activation), step of the write or flush that fails (0: none), then
// actions, each a byte:
//   lay    copies (mask), sequence, term, id, content, flags: a right commit; 1: of another set,
//          2: seals that name the place of another copy
//   patch  copy and slot, reseal, then a patch over the seal block and the blocks behind it
//   fill   copies (mask), slot, byte: over the seal block
//   spoil  copies (mask), slot, block: unreadable until written
#include <cerrno>
#include <map>
#include <tuple>
#include <vector>

#include "base/clock.hpp"
#include "metadata/store.hpp"
#include "recipe.hpp"
#include "reseal.hpp"
#include "sample.hpp"
#include "sim/sim_device.hpp"

using namespace dmremap;
using fuzz::require;

namespace {

using format::kBlockBytes;

// Patches reach the seal block and this many blocks behind it.
constexpr std::size_t kPatchedBlocks = 8;

class NoClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return 1; }
  std::uint64_t monotonic_ns() override { return 1; }
};

// The same numbers in every run, so that a finding can be replayed.
class CountingRandom final : public Random {
 public:
  std::uint64_t next_u64() override { return 0x1122'3344'5566'0000U + ++last_; }

 private:
  std::uint64_t last_ = 0;
};

// A device that stays from run to run: what a run touched is put back after it.
class Spare {
 public:
  Spare() : device_({fuzz::kSpareSize, 512, 4096}) {}

  sim::SimDevice& device() { return device_; }
  void poke(Sector at, std::span<const std::byte> bytes) {
    touched_.push_back({at, SectorCount::from_bytes(bytes.size())});
    device_.poke(at, bytes);
  }
  void spoil(SectorRange range) {
    touched_.push_back(range);
    device_.spoil(range, ENODATA);
    spoiled_ = true;
  }
  // What could not be read may come back by a write that the power cut then takes away: a commit
  // that nobody acknowledged may then be found that was hidden before.
  [[nodiscard]] bool hides_something() const { return spoiled_; }
  void read(Sector at, std::span<std::byte> out) {
    if (!device_.read(at, out).ok()) std::fill(out.begin(), out.end(), std::byte{0});
  }
  // Write or flush number `step` from now fails; 0: none does.
  void watch(std::uint64_t step) {
    const std::uint64_t failing = step == 0 ? 0 : device_.steps() + step;
    device_.set_hook([this, failing](const sim::Request& request) -> io::IoStatus {
      if (request.kind == sim::Request::Kind::read) return io::kIoOk;
      touched_.push_back(request.range);
      return {failing != 0 && request.step + 1 == failing ? EIO : 0};
    });
  }
  void power_cut(bool keep) {
    device_.power_cut([keep](const sim::Request&, Sector) { return keep; });
  }
  // Everything reads as zeros again.
  void restore() {
    static const std::vector<std::byte> zeros(format::kSlotBytes);
    device_.set_hook({});
    power_cut(false);
    for (const SectorRange& range : touched_) {
      if (!range.empty()) device_.poke(range.first, std::span(zeros).first(range.count.bytes()));
    }
    touched_.clear();
    spoiled_ = false;
  }

 private:
  sim::SimDevice device_;
  std::vector<SectorRange> touched_;
  bool spoiled_ = false;
};

const format::CopyPositions& positions() {
  static const auto at = format::copy_positions(fuzz::kSpareSize);
  return at;
}

// Made once: a run makes few that no run before it made.
const fuzz::Commit& commit_of(unsigned set, unsigned which, std::uint64_t sequence,
                              std::uint64_t term, unsigned id) {
  using Key = std::tuple<unsigned, unsigned, std::uint64_t, std::uint64_t, unsigned>;
  static std::map<Key, fuzz::Commit> made;
  const Key key{set, which, sequence, term, id};
  const auto known = made.find(key);
  if (known != made.end()) return known->second;
  return made
      .emplace(key, fuzz::sample_commit(fuzz::sample_content(which, set), sequence, term, id))
      .first->second;
}

void lay(Spare& spare, const fuzz::Commit& commit, unsigned copies, bool misplaced) {
  const unsigned slot = format::column_of(commit.seal.sequence);
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (((copies >> copy) & 1U) == 0) continue;
    const unsigned claimed = misplaced ? (copy + 1) % format::kCopies : copy;
    spare.poke(format::slot_sector(positions(), {copy, slot}), commit.seal_block({claimed, slot}));
    spare.poke(format::body_sector(positions(), {copy, slot}), commit.body);
  }
}

void lay(Spare& spare, fuzz::Recipe& recipe) {
  const unsigned copies = recipe.u8();
  const std::uint64_t sequence = recipe.u8() % 16 + 1;
  const std::uint64_t term = recipe.u8() % 8 + 1;
  const unsigned id = recipe.u8() % 4;
  const unsigned which = recipe.u8() % fuzz::kSampleContents;
  const unsigned flags = recipe.u8();
  lay(spare, commit_of(1 + (flags & 1U), which, sequence, term, id), copies, (flags & 2U) != 0);
}

void patch(Spare& spare, fuzz::Recipe& recipe) {
  const unsigned where = recipe.u8();
  const format::SlotAddress at{where % format::kCopies, where / format::kCopies % format::kSlots};
  const Sector start = format::slot_sector(positions(), at);
  const unsigned reseal = recipe.u8();
  std::vector<std::byte> slot((1 + kPatchedBlocks) * kBlockBytes);
  spare.read(start, slot);
  recipe.patch(slot);
  const auto seal = std::span(slot).first(kBlockBytes);
  const std::size_t blocks = std::min(fuzz::blocks_named_by(seal), kPatchedBlocks);
  const auto body = std::span(slot).subspan(kBlockBytes, blocks * kBlockBytes);
  if ((reseal & 1U) != 0) fuzz::reseal_body(body, {});
  if ((reseal & 2U) != 0) fuzz::point_seal_at(seal, body);
  if ((reseal & 4U) != 0) fuzz::reseal_seal(seal);
  spare.poke(start, slot);
}

void fill_or_spoil(Spare& spare, fuzz::Recipe& recipe, bool spoil) {
  const unsigned copies = recipe.u8();
  const unsigned slot = recipe.u8() % format::kSlots;
  const unsigned what = recipe.u8();
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (((copies >> copy) & 1U) == 0) continue;
    const Sector start = format::slot_sector(positions(), {copy, slot});
    if (spoil) {
      const SectorCount blocks{what % 4 * format::kBlockSectors.value};
      spare.spoil({start + blocks, format::kBlockSectors});
    } else {
      spare.poke(start, std::vector<std::byte>(kBlockBytes, static_cast<std::byte>(what)));
    }
  }
}

void prepare(Spare& spare, fuzz::Recipe& recipe) {
  constexpr unsigned kActionsMax = 32;
  for (unsigned i = 0; i < kActionsMax && !recipe.empty(); ++i) {
    switch (recipe.u8() % 4) {
      case 0:
        lay(spare, recipe);
        break;
      case 1:
        patch(spare, recipe);
        break;
      case 2:
        fill_or_spoil(spare, recipe, false);
        break;
      default:
        fill_or_spoil(spare, recipe, true);
    }
  }
}

Result<metadata::Survey> look(Spare& spare) {
  const std::uint64_t steps = spare.device().steps();
  auto found = metadata::survey(spare.device());
  require(spare.device().steps() == steps, "a survey writes nothing");
  return found;
}

// What a survey after an acknowledged commit must say.
void require_found(Spare& spare, const metadata::CommitName& commit,
                   const format::Content& content) {
  const auto found = look(spare);
  require(found.has_value() && !metadata::refusal(*found, "spare"), "what was acknowledged opens");
  require(found->decision.winner == commit, "the acknowledged commit wins");
  require(found->content == content, "and holds the content that was committed");
  require(metadata::contains_quorum(found->decision.holders), "on a quorum of copies");
}

// The device may be smaller than the one the set was made on.
bool fits(const metadata::Survey& found) {
  return found.positions.back() + format::kCopySectors <= Sector{fuzz::kSpareSize.value};
}

struct Ending {
  std::uint64_t failing_step = 0;
  bool keep = false;
  bool commit = true;
};

void open(Spare& spare, const Ending& ending) {
  const auto found = look(spare);
  if (!found) return;
  require(!found->decision.writable() || found->content.has_value(), "writable means readable");
  if (metadata::refusal(*found, "spare")) return;
  const format::Content content = *found->content;
  const metadata::CommitName winner = *found->decision.winner;

  NoClock clock;
  CountingRandom random;
  spare.watch(ending.failing_step);
  const auto store = metadata::Store::activate(spare.device(), *found, content, random, clock);
  if (!store) {
    require(ending.failing_step != 0 || !fits(*found) ||
                store.error().code == ErrorCode::metadata_exhausted,
            "a writable set on a device without faults can be activated");
    spare.power_cut(ending.keep);
    const auto after = look(spare);
    if (after && !metadata::refusal(*after, "spare")) {
      require(after->content == content || spare.hides_something(),
              "a failed activation changes no content");
    }
    return;
  }
  const metadata::CommitName active = (*store)->current();
  require(active.sequence == winner.sequence + 1 && active.term == winner.term + 1,
          "an activation is the next sequence and term");
  if (!ending.commit) {
    spare.power_cut(ending.keep);
    return require_found(spare, active, content);
  }
  format::Content changed = content;
  changed.health.starts += 1;
  const auto committed = (*store)->commit(changed, table::Table(changed.extents, changed.retired));
  spare.power_cut(ending.keep);
  if (committed) return require_found(spare, *committed, changed);
  require(ending.failing_step != 0 || !fits(*found) ||
              committed.error().code == ErrorCode::metadata_exhausted,
          "a commit on a device without faults succeeds");
  const auto after = look(spare);
  require(spare.hides_something() ||
              (after.has_value() && (metadata::refusal(*after, "spare") ||
                                     after->content == content || after->content == changed)),
          "a failed commit leaves the content before it or its own");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Spare spare;
  fuzz::Recipe recipe(data, size);
  const unsigned flags = recipe.u8();
  const unsigned failing_step = recipe.u8();
  constexpr unsigned kAllCopies = (1U << format::kCopies) - 1;
  if ((flags & 1U) != 0) {
    lay(spare, commit_of(1, 0, 3, 1, 0), kAllCopies, false);
    lay(spare, commit_of(1, 1, 4, 1, 0), kAllCopies, false);
  }
  prepare(spare, recipe);
  open(spare, {failing_step, (flags & 2U) != 0, (flags & 4U) == 0});
  spare.restore();
  return 0;
}
