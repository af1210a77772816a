// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/store.hpp"

#include <atomic>
#include <limits>
#include <mutex>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "base/checksum.hpp"
#include "format/body.hpp"
#include "metadata/commit_writer.hpp"
#include "metadata/slot_reader.hpp"

namespace dmremap::metadata {

namespace {

constexpr CopySet kAllCopies{(1U << format::kCopies) - 1};

// The last sequence and term that are ever given out: beyond, order would wrap.
constexpr std::uint64_t kLastNumber = std::numeric_limits<std::uint64_t>::max() - 1;

std::shared_ptr<const CommitImage> build_image(format::Seal seal, const format::Content& content,
                                               const format::TableImage& table) {
  const format::BodyName name{seal.set_uuid, seal.sequence, seal.term,
                              seal.commit,   seal.parent,   seal.wall_ns};
  const std::vector<std::byte> body = format::encode_body(name, content, table);
  seal.body_blocks = static_cast<std::uint32_t>(body.size() / format::kBlockBytes);
  seal.body_crc = crc32c(body);
  return make_image(seal, body);
}

CommitName name_of(const format::Seal& seal) {
  return {seal.sequence, seal.term, seal.commit, seal.wall_ns};
}

Result<void> check_number(std::uint64_t last, std::string_view what, const std::string& where) {
  if (last < kLastNumber) return {};
  return fail(ErrorCode::metadata_exhausted, fmt::format("the {} {} is the last one", what, last),
              where, "copy the data to a new set");
}

// What would not be read back as it was meant must not be written: it would take the place of
// commits that can be read, and its own seals would make the set doubtful.
bool is_readable(const CommitImage& image, const format::Content& content) {
  const auto decoded = format::decode_body(image.body.span());
  const auto* body = std::get_if<format::DecodedBody>(&decoded);
  return body != nullptr && body->content.extents.size() == content.extents.size() &&
         body->content.retired.size() == content.retired.size();
}

class SpareStore final : public Store {
 public:
  SpareStore(io::BlockDevice& spare, const format::CopyPositions& positions, Random& random,
             Clock& clock)
      : spare_(spare), writer_(spare, positions), random_(random), clock_(clock) {}

  Result<CommitName> commit(const format::Content& content) override {
    if (auto reason = read_only_reason(); !reason.empty()) {
      return fail(ErrorCode::read_only, reason, spare_.path());
    }
    if (auto ready = check_for_foreign_writer(); !ready) return tl::unexpected(ready.error());
    if (auto left = check_number(last_->seal.sequence, "sequence number", spare_.path()); !left) {
      return tl::unexpected(left.error());
    }
    format::Seal seal = last_->seal;
    seal.sequence += 1;
    return advance(seal, content);
  }

  CommitName current() const override {
    const std::lock_guard lock(mutex_);
    return name_of(last_->seal);
  }

  CopyCount copies() const override {
    return {good_copies_.load(std::memory_order_relaxed), format::kCopies};
  }

  std::string read_only_reason() const override {
    const std::lock_guard lock(mutex_);
    return read_only_reason_;
  }

  // The winner onto a quorum of its own column, before the other column is touched. A winner that
  // is only in the drive's cache is made durable first: the bodies of the activation overwrite the
  // commit before it.
  Result<void> settle(const std::shared_ptr<const CommitImage>& winner,
                      const format::TableImage& table, CopySet holders) {
    table_ = table;
    if (!spare_.flush().ok()) return go_read_only("a flush of the spare failed");
    CopySet missing;
    for (unsigned copy = 0; copy < format::kCopies; ++copy) {
      if (!holders.contains(copy)) missing.add(copy);
    }
    if (missing.size() > 0) {
      const auto verified = writer_.write(winner, missing);
      if (!verified) return go_read_only(verified.error().what);
      for (unsigned copy = 0; copy < format::kCopies; ++copy) {
        if (verified->contains(copy)) holders.add(copy);
      }
    }
    if (!contains_quorum(holders)) {
      return go_read_only(
          fmt::format("the winner is on {} copies and cannot be written to more", holders.size()));
    }
    acknowledge(winner, holders);
    return {};
  }

  // Writes the commit that `seal` names (sequence and term set; id, parent and time are given here)
  // until a quorum holds it, byte for byte the same, twice at most.
  Result<CommitName> advance(format::Seal seal, const format::Content& content) {
    format::TableImage table = table_;
    table.update(content.extents, content.retired);
    if (table.entries().size() > format::table_capacity(content.unknown)) {
      return fail(ErrorCode::metadata_full,
                  fmt::format("the table holds {} extents and is full",
                              content.extents.size() + content.retired.size()),
                  spare_.path(), "replace the disk; the set goes on with what is mapped");
    }
    seal.parent = last_ ? last_->seal.commit : CommitId{};
    seal.commit = random_.commit_id();
    seal.wall_ns = clock_.wall_ns();
    const auto image = build_image(seal, content, table);
    if (!is_readable(*image, content)) {
      return fail(ErrorCode::internal, "what is to be committed contradicts itself", spare_.path(),
                  "nothing was written; please report this");
    }
    CopySet held;
    for (int attempt = 0; attempt < 2 && !contains_quorum(held); ++attempt) {
      const auto verified = writer_.write(image, kAllCopies);
      if (!verified) return tl::unexpected(go_read_only(verified.error().what).error());
      held = *verified;
    }
    if (!contains_quorum(held)) {
      return tl::unexpected(
          go_read_only(fmt::format("a commit reached only {} copies", held.size())).error());
    }
    table_ = std::move(table);
    acknowledge(image, held);
    return name_of(image->seal);
  }

  [[nodiscard]] CopySet held() const { return held_; }

 private:
  void acknowledge(const std::shared_ptr<const CommitImage>& image, CopySet held) {
    {
      // Whoever asks for the current commit is in another thread.
      const std::lock_guard lock(mutex_);
      last_ = image;
    }
    held_ = held;
    good_copies_.store(held.size(), std::memory_order_relaxed);
  }

  // One copy that the last commit verified, in turn: its seal and body, and the seal in the other
  // column, where a single commit of somebody else would lie. A seal that went back, or a body that
  // changed, is a write the drive dropped or misdirected: that copy no longer counts. One that went
  // on, or is of another commit, was written by somebody else: whatever we wrote now could undo
  // theirs.
  Result<void> check_for_foreign_writer() {
    // Two commits, one of each column, before the next copy has its turn.
    unsigned copy = static_cast<unsigned>(last_->seal.sequence / 2 % format::kCopies);
    while (!held_.contains(copy)) copy = (copy + 1) % format::kCopies;
    if (writer_.is_overtaken(*last_, copy)) return foreign_writer(copy);
    switch (writer_.look_again(*last_, copy)) {
      case CommitWriter::SealNow::same:
        if (writer_.holds_body(*last_, copy)) return {};
        break;
      case CommitWriter::SealNow::other:
        return foreign_writer(copy);
      case CommitWriter::SealNow::unreadable:
      case CommitWriter::SealNow::damaged:
      case CommitWriter::SealNow::older:
        break;
    }
    writer_.forget(copy);
    CopySet rest;
    for (unsigned i = 0; i < format::kCopies; ++i) {
      if (i != copy && held_.contains(i)) rest.add(i);
    }
    if (!contains_quorum(rest)) {
      return go_read_only(fmt::format("copy {} lost the last commit, and too few are left", copy));
    }
    held_ = rest;
    good_copies_.store(rest.size(), std::memory_order_relaxed);
    return {};
  }

  Result<void> foreign_writer(unsigned copy) {
    return go_read_only(fmt::format(
        "copy {} was written by somebody else: another program has the spare open", copy));
  }

  Result<void> go_read_only(std::string reason) {
    const std::lock_guard lock(mutex_);
    read_only_reason_ = std::move(reason);
    return fail(ErrorCode::metadata_commit, read_only_reason_, spare_.path(),
                "stop the set; look with `dmremap examine`");
  }

  io::BlockDevice& spare_;
  CommitWriter writer_;
  Random& random_;
  Clock& clock_;
  format::TableImage table_;
  std::shared_ptr<const CommitImage> last_;
  CopySet held_;  // copies verified to hold `last_`; contains a quorum
  std::atomic<unsigned> good_copies_{0};
  mutable std::mutex mutex_;
  std::string read_only_reason_;
};

// No copy of a set that is given up, or that could not be made whole, may look like one.
void erase_seals(io::BlockDevice& spare, const format::CopyPositions& positions) {
  const AlignedBuffer zeros(format::kBlockBytes);
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      // Best effort: what cannot be written cannot be erased either.
      (void)spare.write(format::slot_sector(positions, {copy, slot}), zeros.span());
    }
  }
  (void)spare.flush();
}

}  // namespace

Result<void> Store::create(io::BlockDevice& spare, const format::Content& content, Random& random,
                           Clock& clock) {
  DMREMAP_ASSERT(content.extents.empty());
  const SectorCount size = spare.geometry().size;
  if (size < format::kMinSpareSize) {
    return fail(ErrorCode::device_too_small, "a spare needs at least 16 MiB", spare.path());
  }
  const format::CopyPositions positions = format::copy_positions(size);
  // A crash from here on leaves no mixture of two sets that neither could be told from.
  erase_seals(spare, positions);
  SpareStore store(spare, positions, random, clock);
  format::Seal seal;
  seal.set_uuid = content.identity.set_uuid;
  seal.device_uuid = content.identity.spare_uuid;
  seal.device_size = size;
  seal.positions = positions;
  seal.term = 1;
  // Sequence 1 seals slots B, sequence 2 slots A: no slot keeps what lay there before.
  for (seal.sequence = 1; seal.sequence <= 2; ++seal.sequence) {
    const auto done = store.advance(seal, content);
    if (done && store.held() == kAllCopies) continue;
    erase_seals(spare, positions);
    return fail(ErrorCode::io,
                done ? fmt::format("only {} of 8 metadata copies could be written and read back",
                                   store.held().size())
                     : done.error().what,
                spare.path(), "use a healthy device as spare");
  }
  return {};
}

Result<std::unique_ptr<Store>> Store::activate(io::BlockDevice& spare, const Survey& survey,
                                               const format::Content& content, Random& random,
                                               Clock& clock) {
  if (const auto error = refusal(survey, spare.path())) return tl::unexpected(*error);
  const CommitName& winner = *survey.decision.winner;
  const unsigned column = format::column_of(winner.sequence);
  // A copy that holds the winner holds it in its column: elsewhere its seal would be misplaced.
  SlotReader reader(spare);
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    if (!survey.decision.holders.contains(copy)) continue;
    const format::SlotAddress at{copy, column};
    const SlotReading slot = reader.read(at, format::slot_sector(survey.positions, at));
    if (!slot.body || slot.seal.seal.commit != winner.id) continue;
    format::Seal next = slot.seal.seal;
    for (const auto& left : {check_number(next.sequence, "sequence number", spare.path()),
                             check_number(next.term, "term", spare.path())}) {
      if (!left) return tl::unexpected(left.error());
    }
    next.sequence += 1;
    next.term += 1;
    auto store = std::make_unique<SpareStore>(spare, survey.positions, random, clock);
    const auto image = make_image(slot.seal.seal, reader.body_bytes());
    if (auto settled = store->settle(image, slot.body->table, survey.decision.holders); !settled) {
      return tl::unexpected(settled.error());
    }
    const auto active = store->advance(next, content);
    if (!active) return tl::unexpected(active.error());
    return store;
  }
  return fail(ErrorCode::io, "the winner was readable a moment ago and no longer is", spare.path(),
              "check cable, power and the kernel log");
}

std::size_t table_capacity(const format::Content& content) {
  return format::table_capacity(content.unknown);
}

std::vector<SectorRange> reserved_ranges(SectorCount spare_size) {
  std::vector<SectorRange> out;
  for (const Sector at : format::copy_positions(spare_size)) {
    out.push_back({at, format::kCopySectors});
  }
  return out;
}

}  // namespace dmremap::metadata
