// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/task/relocator.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/sector_parts.hpp"
#include "base/thread_name.hpp"
#include "remap/request/narrow.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

namespace {

using format::State;

// Held at once, so that a long relocation delays a write by little.
constexpr SectorCount kChunk{2048};

// Tells that lost sectors are asked, for as long as it lives.
class RoundNotice {
 public:
  explicit RoundNotice(RecheckRounds* rounds) : rounds_(rounds) {
    if (rounds_ != nullptr) rounds_->begin_round();
  }
  ~RoundNotice() {
    if (rounds_ != nullptr) rounds_->end_round();
  }
  RoundNotice(const RoundNotice&) = delete;
  RoundNotice& operator=(const RoundNotice&) = delete;

 private:
  RecheckRounds* rounds_;
};

}  // namespace

struct Relocator::ChunkRead {
  std::span<std::byte> buffer;
  std::vector<SectorRange> read;
  std::vector<SectorRange> bad;
  int error = 0;  // of a bad one
};

Relocator::Relocator(DataPath& path, Remapper& remapper, Recovery& recovery)
    : path_(path),
      remapper_(remapper),
      recovery_(recovery),
      suspects_(path, remapper, recovery),
      spare_recheck_(path, remapper),
      mutex_(path.scheduling),
      wake_(path.scheduling) {
  thread_ = Thread(path_.scheduling, [this] { loop(); });
}

Relocator::~Relocator() {
  stop();
}

void Relocator::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Relocator::go_on() {
  if (thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = false;
  }
  thread_ = Thread(path_.scheduling, [this] { loop(); });
}

bool Relocator::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

Result<RelocationReport> Relocator::relocate(SectorRange range) {
  RelocationReport done;
  for (const SectorRange chunk : chunks_of(range, kChunk)) {
    if (const auto moved = relocate_held(chunk, done); !moved) return failure_of(moved);
  }
  return done;
}

Result<void> Relocator::relocate_held(SectorRange range, RelocationReport& done) {
  // For the wait and for the reads under the hold, since user writes wait for both.
  const std::uint64_t deadline_ns = path_.deadline_from_now();
  AlignedBuffer buffer(range.count.bytes());
  auto quiesced = quiesce(path_, remapper_, {range}, NeedsMain::yes, deadline_ns);
  if (!quiesced) return error_of(quiesced.error(), path_);
  ChunkRead chunk_read;
  chunk_read.buffer = buffer.span();
  for (const table::Piece& piece : quiesced->table().pieces(range)) {
    // A remapped sector is where it should be, and of a gone one main holds something older.
    if (piece.state == State::remapped || piece.state == State::gone) {
      done.untouched = done.untouched + piece.main.count;
      continue;
    }
    // Lost sectors are asked again: main may read them by now.
    read_stretch(piece.main, buffer.span(), range, deadline_ns, chunk_read);
    if (path_.breaker.tripped()) return error_of(Outcome::tripped, path_);
  }
  return bind(*quiesced, range, chunk_read, done);
}

void Relocator::read_stretch(SectorRange range, std::span<std::byte> buffer, SectorRange whole,
                             std::uint64_t deadline_ns, ChunkRead& chunk_read) {
  io::IoStatus status = path_.read_main(range.first, part_of(buffer, whole, range));
  if (status.ok()) {
    append_run(chunk_read.read, range);
    return;
  }
  chunk_read.error = status.error;
  if (path_.diagnose_main(status.error) != io::Fault::media) return;
  // What is not tried by the deadline is neither moved nor marked: nothing is known of it.
  Narrowing narrowing(range, path_.block(), path_.unit());
  while (path_.clock.monotonic_ns() < deadline_ns && !path_.breaker.tripped()) {
    const auto part = narrowing.next();
    if (!part) break;
    status = path_.read_main(part->first, part_of(buffer, whole, *part));
    narrowing.report(status.ok());
    if (status.ok()) {
      append_run(chunk_read.read, *part);
    } else {
      chunk_read.error = status.error;
    }
  }
  for (const SectorRange& bad : narrowing.failing()) append_run(chunk_read.bad, bad);
}

Result<void> Relocator::bind(QuiescedRange& quiesced, SectorRange whole,
                             const ChunkRead& chunk_read, RelocationReport& done) {
  std::vector<Item> moves;
  for (const SectorRange& part : chunk_read.read) {
    moves.push_back({Item::Kind::relocate, part, part_of(chunk_read.buffer, whole, part), 0});
  }
  std::vector<Item> marks;
  // Main may have gone while it was read. Then its failures say nothing of its sectors.
  if (!chunk_read.bad.empty() && path_.diagnose_main(chunk_read.error) == io::Fault::media) {
    for (const SectorRange& part : chunk_read.bad) {
      marks.push_back({Item::Kind::mark_lost, part, {}, chunk_read.error});
    }
  }
  // First, and apart: a spare without room must not keep a loss from being recorded.
  if (const Outcome outcome = quiesced.bind(marks); outcome != Outcome::done) {
    return error_of(outcome, path_);
  }
  for (const SectorRange& part : chunk_read.bad) {
    for (const table::Piece& piece : quiesced.table().pieces(part)) {
      // Counted by the table of before the marks: what was lost already has not become so now.
      auto& sum = piece.state == State::lost ? done.untouched : done.lost;
      sum = sum + piece.main.count;
    }
  }
  if (const Outcome outcome = quiesced.bind(moves); outcome != Outcome::done) {
    return error_of(outcome, path_);
  }
  for (const Item& move : moves) done.relocated = done.relocated + move.range.count;
  return {};
}

void Relocator::loop() {
  name_this_thread("relocator");
  std::unique_lock lock(mutex_);
  const std::uint64_t interval_ns =
      std::max(1U, path_.policy.lost_recheck_s) * std::uint64_t{1'000'000'000};
  const auto go_on = [this] { return !stopping() && path_.writable() && !path_.breaker.tripped(); };
  std::uint64_t due_ns = path_.clock.monotonic_ns() + interval_ns;
  while (!wake_.wait_for(lock, Suspects::kLookEvery, [this] { return stopping_; })) {
    lock.unlock();
    suspects_.look();
    // Also while the breaker is open: it is the spare that is asked.
    spare_recheck_.ask([this] { return !stopping() && path_.writable(); });
    if (go_on()) suspects_.examine(go_on);
    // Seldom: each read of a bad sector may take the drive a minute and wear it further.
    if (path_.clock.monotonic_ns() >= due_ns) {
      recheck_lost();
      if (go_on()) suspects_.recheck(go_on);
      due_ns = path_.clock.monotonic_ns() + interval_ns;
    }
    lock.lock();
  }
}

void Relocator::recheck_lost() {
  // As the table is now; what changes meanwhile is looked at again under the hold.
  auto lost = path_.live.table().extents();
  std::erase_if(lost, [](const format::Extent& one) { return one.state() != State::lost; });
  if (lost.empty()) return;
  const RoundNotice notice(path_.recheck_rounds);
  AlignedBuffer buffer(path_.block().bytes());
  for (const format::Extent& extent : lost) {
    for (const SectorRange part : blocks_in(extent.main(), path_.block())) {
      if (stopping() || !path_.writable() || path_.breaker.tripped()) return;
      (void)recheck(part, buffer.span());
    }
  }
}

Relocator::Recheck Relocator::recheck(SectorRange range, std::span<std::byte> buffer) {
  // First without a hold: a bad sector may take a minute to fail, and writes need not wait for
  // that.
  const auto out = buffer.first(range.count.bytes());
  if (const io::IoStatus status = path_.read_main(range.first, out); !status.ok()) {
    if (io::classify(status.error) == io::Fault::device) (void)path_.diagnose_main(status.error);
    return {status.error, Outcome::done};
  }
  auto quiesced = quiesce(path_, remapper_, {range}, NeedsMain::yes);
  if (!quiesced) return {};
  std::vector<Item> moves;
  for (const table::Piece& piece : quiesced->table().pieces(range)) {
    // A write may have come since: what moves is read again while nothing can write.
    if (piece.state != State::lost) continue;
    const auto data = part_of(out, range, piece.main);
    if (!path_.read_main(piece.main.first, data).ok()) continue;
    moves.push_back({Item::Kind::relocate, piece.main, data, EIO});
  }
  return {0, quiesced->bind(moves)};
}

Result<RetryReport> Relocator::retry(SectorRange range, const RetryProgress& go_on) {
  if (const auto refused = why_not_quiesce(path_, NeedsMain::yes)) return error_of(*refused, path_);
  const table::Table before = path_.live.table();
  std::vector<table::Piece> listed;
  RetryReport done;
  for (const table::Piece& piece : before.pieces(range)) {
    if (piece.state != State::lost && piece.state != State::suspect) continue;
    listed.push_back(piece);
    done.asked = done.asked + piece.main.count;
  }
  if (listed.empty()) return done;
  {
    const RoundNotice notice(path_.recheck_rounds);
    for (const table::Piece& piece : listed) {
      if (!go_on(done)) break;
      if (piece.state == State::suspect) {
        retry_suspect(piece.main, go_on, done);
      } else if (auto tried = retry_lost(piece.main, go_on, done); !tried) {
        return failure_of(tried);
      }
    }
  }
  const table::Table after = path_.live.table();
  for (const table::Piece& was : listed) {
    for (const table::Piece& piece : after.pieces(was.main)) {
      auto& sum = piece.state == State::remapped  ? done.recovered
                  : piece.state == State::good    ? done.good
                  : piece.state == State::suspect ? done.suspect
                                                  : done.lost;
      sum = sum + piece.main.count;
    }
  }
  return done;
}

// A long run that reads again comes back in few commits. One that does not is asked block by block,
// so that its readable blocks are found.
Result<void> Relocator::retry_lost(SectorRange lost, const RetryProgress& go_on,
                                   RetryReport& done) {
  AlignedBuffer buffer(std::min(lost.count, kChunk).bytes());
  const auto try_part = [&](SectorRange part) -> Result<bool> {
    const Recheck tried = recheck(part, buffer.span());
    if (tried.error != 0) done.error = tried.error;
    if (path_.breaker.tripped()) return error_of(Outcome::tripped, path_);
    if (tried.outcome != Outcome::done) return error_of(tried.outcome, path_);
    return tried.error == 0;
  };
  for (const SectorRange chunk : chunks_of(lost, kChunk)) {
    if (stopping() || !go_on(done)) return {};
    const auto whole = try_part(chunk);
    if (!whole) return failure_of(whole);
    if (*whole || chunk.count <= path_.block()) {
      done.tried = done.tried + chunk.count;
      continue;
    }
    for (const SectorRange part : blocks_in(chunk, path_.block())) {
      if (stopping() || !go_on(done)) return {};
      if (const auto tried = try_part(part); !tried) return failure_of(tried);
      done.tried = done.tried + part.count;
    }
  }
  return {};
}

void Relocator::retry_suspect(SectorRange suspect, const RetryProgress& go_on, RetryReport& done) {
  // Of its own: that of the background is its thread's alone.
  Suspects suspects(path_, remapper_, recovery_);
  const auto may = [&] {
    return !stopping() && path_.writable() && !path_.breaker.tripped() && go_on(done);
  };
  for (const SectorRange chunk : chunks_of(suspect, kChunk)) {
    if (!suspects.recheck(chunk, may)) return;
    done.tried = done.tried + chunk.count;
  }
}

}  // namespace dmremap::remap
