// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/task/unremap.hpp"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/sector_parts.hpp"
#include "remap/request/narrow.hpp"
#include "remap/writer/quiesced_range.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

namespace {

using Runs = std::vector<SectorRange>;

// Held at once, so that a long way back delays a write by little.
constexpr SectorCount kChunk{2048};

// Copies one chunk from the spare back to main, and proves that it is there.
class CopyBack {
 public:
  // `quiesced` holds the chunk and outlives this.
  CopyBack(DataPath& path, const QuiescedRange& quiesced, SectorRange chunk)
      : path_(path),
        chunk_(chunk),
        table_(quiesced.table()),
        deadline_ns_(path.deadline_from_now()),
        data_(chunk.count.bytes()) {}

  // The runs of which main now has, durably, what the spare has.
  Runs copy_and_verify() {
    // Taken before the first write, so that a flush of another that fails meanwhile fails this one.
    // A crash from here to the commit leaves the mapping, and what main holds below it does not
    // matter.
    const FlushGate::Mark mark = path_.main_gate.mark();
    const Runs written = write(read_spare());
    if (written.empty()) return {};
    const io::IoStatus flushed =
        path_.main_gate.flush_since(mark, [this] { return path_.flush_main_device(); });
    if (!flushed.ok()) {
      // Final for what it covered, whatever a later flush says: nothing that was written counts.
      fail_with(flushed.error);
      (void)path_.diagnose_main(flushed.error);
      return {};
    }
    // Only after the flush: before it, main may answer from a cache that it then fails to write.
    return verify(written);
  }

  [[nodiscard]] int error() const { return error_; }

 private:
  using Attempt = std::function<io::IoStatus(SectorRange)>;
  using Diagnosis = std::function<io::Fault(int)>;

  [[nodiscard]] std::span<std::byte> data(SectorRange part) {
    return part_of(data_.span(), chunk_, part);
  }
  void fail_with(int error) { error_ = error; }

  // Appends to `good` what of `run` succeeds: whole, or in parts.
  void sift(SectorRange run, const Attempt& attempt, const Diagnosis& diagnose, Runs& good) {
    if (stop_) return;
    const io::IoStatus whole = attempt(run);
    if (whole.ok()) return append_run(good, run);
    fail_with(whole.error);
    stop_ = diagnose(whole.error) != io::Fault::media;
    // Only the bad units stay on the spare (promise 5).
    Narrowing narrowing(run, path_.block(), path_.unit());
    bool failed = false;
    while (!stop_ && path_.clock.monotonic_ns() < deadline_ns_) {
      const auto part = narrowing.next();
      if (!part) break;
      const io::IoStatus status = attempt(*part);
      narrowing.report(status.ok());
      if (status.ok()) {
        append_run(good, *part);
        continue;
      }
      failed = true;
      fail_with(status.error);
      stop_ = !io::may_be_the_sector(io::classify(status.error));
    }
    // The device may have gone while its parts were tried.
    if (failed) stop_ = diagnose(error_) != io::Fault::media || stop_;
  }

  Runs read_spare() {
    Runs good;
    for (const table::Stretch& stretch : table::stretches(table_, chunk_)) {
      if (stretch.place != table::Place::spare) continue;
      const auto attempt = [&](SectorRange part) {
        return path_.spares.read(stretch.spare + (part.first - stretch.range.first), data(part));
      };
      sift(
          stretch.range, attempt,
          [&](int error) { return path_.spares.at(stretch.spare.index).diagnose(error); }, good);
    }
    return good;
  }

  Runs write(const Runs& runs) {
    Runs good;
    for (const SectorRange& run : runs) {
      sift(
          run, [this](SectorRange part) { return path_.write_held_main(part.first, data(part)); },
          [this](int error) { return path_.diagnose_main(error); }, good);
    }
    return good;
  }

  Runs verify(const Runs& runs) {
    // Into another buffer: a read that leaves it untouched must not pass for one that agrees.
    AlignedBuffer back(chunk_.count.bytes());
    Runs readable;
    for (const SectorRange& run : runs) {
      sift(
          run,
          [&](SectorRange part) {
            return path_.read_main(part.first, part_of(back.span(), chunk_, part));
          },
          [this](int error) { return path_.diagnose_main(error); }, readable);
    }
    Runs same;
    for (const SectorRange& run : readable) {
      for (const SectorRange unit : blocks_in(run, path_.unit())) {
        if (std::ranges::equal(data(unit), part_of(back.span(), chunk_, unit))) {
          append_run(same, unit);
        } else {
          // Main took the data and shows something else. No errno says that, so it is told as 0.
          fail_with(0);
        }
      }
    }
    return same;
  }

  DataPath& path_;
  const SectorRange chunk_;
  const table::Table& table_;
  const std::uint64_t deadline_ns_;
  AlignedBuffer data_;
  int error_ = ETIMEDOUT;  // unless something else goes wrong, something was not tried
  bool stop_ = false;      // a device is not there: conclude nothing more
};

// Adds up what is not in `back`. Requires the table before the change.
void count(const table::Table& table, SectorRange chunk, const Runs& back, int error,
           UnremapReport& done) {
  Sector at = chunk.first;
  auto next = back.begin();
  while (at < chunk.end()) {
    while (next != back.end() && next->end() <= at) ++next;
    const bool inside = next != back.end() && next->contains(at);
    const Sector border = inside ? next->end() : next != back.end() ? next->first : chunk.end();
    const table::Piece piece = table.piece_at(at, std::min(border, chunk.end()));
    at = piece.main.end();
    if (piece.state != format::State::remapped) {
      done.untouched = done.untouched + piece.main.count;
    } else if (inside) {
      done.returned = done.returned + piece.main.count;
    } else {
      if (done.kept.value == 0) done.first_kept = piece.main.first;
      done.kept = done.kept + piece.main.count;
      done.error = error;
    }
  }
}

Result<void> return_chunk(DataPath& path, Remapper& remapper, SectorRange chunk,
                          UnremapReport& done) {
  auto quiesced = quiesce(path, remapper, {chunk}, NeedsMain::yes);
  if (!quiesced) return error_of(quiesced.error(), path);
  CopyBack copy_back(path, *quiesced, chunk);
  const Runs back = copy_back.copy_and_verify();
  // Main left in the middle of it. What was verified before is not brought back either: whether it
  // is the same main that comes back is not known yet.
  if (path.breaker.tripped()) return error_of(Outcome::tripped, path);
  // The commit is the step that counts. A crash before it leaves the mapping, after it main, and
  // both hold the same. The spare sectors are free once no request that began before can name them.
  std::vector<Item> items;
  for (const SectorRange& run : back) items.push_back({Item::Kind::unmap, run, {}, 0});
  if (const Outcome outcome = quiesced->bind(items); outcome != Outcome::done) {
    return error_of(outcome, path);
  }
  count(quiesced->table(), chunk, back, copy_back.error(), done);
  return {};
}

}  // namespace

Result<UnremapReport> unremap(DataPath& path, Remapper& remapper, SectorRange range) {
  // Also where nothing is remapped: what a chunk would be refused for is said at once.
  if (const auto refusal = why_not_quiesce(path, NeedsMain::yes)) return error_of(*refusal, path);
  UnremapReport done;
  // What is not remapped now is not waited for.
  const table::Table table = path.live.table();
  for (Sector at = range.first; at < range.end();) {
    const table::Piece piece = table.piece_at(at, range.end());
    if (piece.state != format::State::remapped) {
      done.untouched = done.untouched + piece.main.count;
      at = piece.main.end();
      continue;
    }
    // From here to the end of the chunk whatever the pieces are, so that a table of many small
    // extents does not take a hold for each.
    const SectorRange chunk{at, std::min(kChunk, range.end() - at)};
    at = chunk.end();
    if (const auto back = return_chunk(path, remapper, chunk, done); !back) {
      return failure_of(back);
    }
  }
  return done;
}

}  // namespace dmremap::remap
