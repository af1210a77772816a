// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/copying.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"

namespace dmremap::transfer {

namespace {

using Ranges = std::vector<SectorRange>;
using Status = CopyMap::Status;

constexpr SectorCount kRequest{2048};  // 1 MiB
constexpr SectorCount kBatch{32768};   // flushed and read back at once
// The most that is asked for at once on a disk of which something did not read: the set may take
// the whole deadline of a request over a larger one.
constexpr SectorCount kCautiousRequest{128};
// What is asked for where reads fail, or a unit, if that is larger: one bad block may take a drive
// a minute, and each further one of the same request takes as long again.
constexpr SectorCount kProbe{8};
// The first leap over what does not read. It doubles with each failure, up to a part of the disk.
constexpr SectorCount kFirstLeap{128};
constexpr std::uint64_t kForwardLeaps = 64;    // the longest leap is 1/64 of the disk
constexpr std::uint64_t kBackwardLeaps = 512;  // on the way back
// By how much a request that failed is made smaller.
constexpr std::uint64_t kNarrowing = 8;
// A read is slow if it takes so many times as long as reads of its size took before it, and so long
// at least: a disk that others use too has its moments.
constexpr std::uint64_t kSlowFactor = 10;
constexpr std::uint64_t kSlowNs = 250'000'000;
// The share of the newest read in what reads took before.
constexpr std::uint64_t kAverageOver = 16;
// How often the set is asked in a row of failures whether it still has its main.
constexpr unsigned kAskEvery = 16;

// How far to leap over what does not read, and how much to ask for at once; both whole units.
class Leap {
 public:
  // The longest leap is 1/`parts` of the disk. `cautious`: something of it did not read already.
  Leap(SectorCount size, std::uint64_t parts, SectorCount unit, bool cautious)
      : unit_(unit),
        first_(std::max(kFirstLeap, unit)),
        longest_(std::max(SectorCount{align_up(size.value / parts, unit.value)}, first_)),
        smallest_request_(std::max(kProbe, unit)),
        largest_request_(std::max(cautious ? kCautiousRequest : kRequest, unit)),
        length_(first_),
        request_(largest_request_) {}

  [[nodiscard]] SectorCount length() const { return length_; }
  [[nodiscard]] SectorCount request() const { return request_; }
  [[nodiscard]] unsigned failures_in_a_row() const { return failures_; }

  // A request failed. True: it was the smallest there is, and it is time to leap. False: ask for
  // less of the same, until the edge of what reads is found.
  bool fail(SectorCount count) {
    largest_request_ = std::max(kCautiousRequest, unit_);
    if (count > smallest_request_) {
      request_ =
          std::max(SectorCount{align_up(count.value / kNarrowing, unit_.value)}, smallest_request_);
      narrowing_ = count;
      return false;
    }
    ++failures_;
    narrowing_ = {};
    request_ = smallest_request_;
    return true;
  }
  // It read, slowly, and it is time to leap. Less is asked for until something reads well.
  void drag() {
    failures_ = 0;
    request_ = std::min(request_, std::max(kCautiousRequest, unit_));
  }
  void leapt() { length_ = std::min(SectorCount{length_.value * 2}, longest_); }
  // It read well.
  void succeed(SectorCount count) {
    failures_ = 0;
    length_ = std::max(SectorCount{align_up(length_.value / 2, unit_.value)}, first_);
    // Not larger requests again before the whole of the one that failed has been passed.
    narrowing_ = narrowing_ - std::min(narrowing_, count);
    if (narrowing_.value != 0) return;
    request_ = std::min(SectorCount{request_.value * 2}, largest_request_);
  }

 private:
  SectorCount unit_;
  SectorCount first_;
  SectorCount longest_;
  SectorCount smallest_request_;
  SectorCount largest_request_;
  SectorCount length_;
  SectorCount request_;
  SectorCount narrowing_;  // what is left of a request that failed
  unsigned failures_ = 0;
};

// What reads take on this disk where it is well.
class Pace {
 public:
  // A read took so long. True: it was slow, and says nothing of the disk where it is well. The
  // first one cannot be judged.
  bool is_slow(SectorCount count, std::uint64_t took_ns) {
    const std::uint64_t each_ns = took_ns / count.value;
    if (average_ns_ == 0) {
      average_ns_ = std::max<std::uint64_t>(each_ns, 1);
      return false;
    }
    const std::uint64_t most_ns = kSlowFactor * average_ns_;
    if (took_ns >= kSlowNs && each_ns > most_ns) return true;
    average_ns_ = std::max<std::uint64_t>(
        (average_ns_ * (kAverageOver - 1) + std::min(each_ns, most_ns)) / kAverageOver, 1);
    return false;
  }

 private:
  std::uint64_t average_ns_ = 0;  // of a sector
};

class CopyRun {
 public:
  CopyRun(io::BlockDevice& source, io::BlockDevice& target, SectorCount unit, CopyMap& map,
          CopyObserver& observer, Clock& clock)
      : source_(source),
        target_(target),
        unit_(unit),
        map_(map),
        observer_(observer),
        clock_(clock),
        data_(kBatch.bytes()),
        back_(kRequest.bytes()) {}

  // Called before is_on_target() is asked for the first time, so that the medium answers and not a
  // cache.
  Result<void> settle_target() {
    if (const auto status = target_.flush(); !status.ok()) {
      return target_failed(status.error, "flush", {{0}, map_.size()});
    }
    observer_.flushed();
    return {};
  }

  // Reads a batch, writes it to the target and verifies it. Ranges that do not read are added to
  // `unread`. With `maybe_there`, parts that the target has already are not written.
  Result<void> copy(SectorRange batch, bool maybe_there, Ranges& unread) {
    Ranges read;
    for (Sector at = batch.first; at < batch.end();) {
      const SectorRange part{at, std::min(kRequest, batch.end() - at)};
      read_parts(batch, part, read, unread);
      at = part.end();
    }
    if (maybe_there) {
      std::erase_if(read, [&](SectorRange part) {
        if (!is_on_target(batch, part)) return false;
        map_.mark(part, Status::finished);
        return true;
      });
    }
    return store(batch, read);
  }

  // Copies what reads at once of `range`, from one of its ends to the other; see CopyPass. False:
  // it was ended.
  Result<bool> skim(SectorRange range, bool backward, Leap& leap) {
    while (!range.empty()) {
      // One batch at a time, which ends at the first leap.
      const SectorCount window = std::min(kBatch, range.count);
      const SectorRange batch{backward ? range.end() - window : range.first, window};
      SectorRange left = batch;
      Ranges read;
      SectorCount leap_over;
      for (bool leaps = false; !left.empty() && !leaps;) {
        const SectorCount count = std::min(leap.request(), left.count);
        const SectorRange part{backward ? left.end() - count : left.first, count};
        const std::uint64_t begun_ns = clock_.monotonic_ns();
        const bool failed = !source_.read(part.first, data(batch, part)).ok();
        if (failed && !leap.fail(count)) break;
        leaps = failed || pace_.is_slow(count, clock_.monotonic_ns() - begun_ns);
        if (failed) {
          map_.mark(part, Status::non_trimmed);
        } else {
          read.push_back(part);
          if (leaps) leap.drag();
        }
        if (leaps) {
          leap_over = leap.length();
          leap.leapt();
        } else {
          leap.succeed(count);
        }
        left = {backward ? left.first : part.end(), left.count - count};
      }
      if (auto stored = store(batch, read); !stored) return failure_of(stored);
      const SectorCount done = std::min(batch.count - left.count + leap_over, range.count);
      range = {backward ? range.first : range.first + done, range.count - done};
      if (leap.failures_in_a_row() != 0 && leap.failures_in_a_row() % kAskEvery == 0) {
        if (const auto there = observer_.lost_now(); !there) return failure_of(there);
      }
      if (!observer_.go_on(map_)) return false;
    }
    return true;
  }

 private:
  // Writes what was read of a batch to the target and verifies it.
  Result<void> store(SectorRange batch, const Ranges& read) {
    for (const SectorRange& part : read) {
      const auto status = target_.write(part.first, data(batch, part));
      if (!status.ok()) return target_failed(status.error, "write", part);
    }
    if (read.empty()) return {};
    // The data must be on the medium before it is read back, and the map may call it finished only
    // after that. If the copy ends in between, these sectors are copied again.
    if (const auto status = target_.flush(); !status.ok()) {
      return target_failed(status.error, "flush", batch);
    }
    observer_.flushed();
    for (const SectorRange& part : read) {
      if (auto same = verify(batch, part); !same) return same;
    }
    for (const SectorRange& part : read) map_.mark(part, Status::finished);
    return {};
  }

  [[nodiscard]] std::span<std::byte> data(SectorRange batch, SectorRange part) {
    return data_.span().subspan((part.first - batch.first).bytes(), part.count.bytes());
  }

  // Reads a part whole or, if that fails, in halves down to a unit, so that one bad sector costs no
  // more than its unit.
  void read_parts(SectorRange batch, SectorRange part, Ranges& read, Ranges& unread) {
    if (source_.read(part.first, data(batch, part)).ok()) {
      read.push_back(part);
      return;
    }
    if (part.count <= unit_) {
      unread.push_back(part);
      return;
    }
    const SectorCount half{align_up(part.count.value / 2, unit_.value)};
    read_parts(batch, {part.first, half}, read, unread);
    read_parts(batch, {part.first + half, part.count - half}, read, unread);
  }

  // True if the target already has this part. A part of it that does not read may still be written.
  bool is_on_target(SectorRange batch, SectorRange part) {
    const auto back = back_.span().first(part.count.bytes());
    return target_.read(part.first, back).ok() && std::ranges::equal(back, data(batch, part));
  }

  Result<void> verify(SectorRange batch, SectorRange part) {
    const auto back = back_.span().first(part.count.bytes());
    if (const auto status = target_.read(part.first, back); !status.ok()) {
      return target_failed(status.error, "read back", part);
    }
    if (std::ranges::equal(back, data(batch, part))) return {};
    return fail(ErrorCode::io,
                fmt::format("other data is read back than was written to sectors {}+{}",
                            part.first.value, part.count.value),
                target_.path(), "this target cannot be relied on: use another one");
  }

  Result<void> target_failed(int error, const char* what, SectorRange part) {
    return fail_errno(error,
                      fmt::format("{} sectors {}+{}", what, part.first.value, part.count.value),
                      target_.path(), "use a healthy target");
  }

  io::BlockDevice& source_;
  io::BlockDevice& target_;
  const SectorCount unit_;
  CopyMap& map_;
  CopyObserver& observer_;
  Clock& clock_;
  Pace pace_;
  AlignedBuffer data_;
  AlignedBuffer back_;
};

// The parts of `range` that are in none of `lost`, which is sorted.
Ranges without(SectorRange range, const Ranges& lost) {
  Ranges out;
  Sector at = range.first;
  for (const SectorRange& hole : lost) {
    if (hole.end() <= at) continue;
    if (hole.first >= range.end()) break;
    if (at < hole.first) out.push_back({at, hole.first - at});
    at = hole.end();
  }
  if (at < range.end()) out.push_back({at, range.end() - at});
  return out;
}

Ranges batches(const Ranges& ranges) {
  Ranges out;
  for (const SectorRange& range : ranges) {
    for (Sector at = range.first; at < range.end(); at = out.back().end()) {
      out.push_back({at, std::min(kBatch, range.end() - at)});
    }
  }
  return out;
}

// Marks sectors that did not read: bad if the set knows them to be lost now, and otherwise to be
// tried again by a later run.
Result<void> mark_unread(const Ranges& unread, CopyMap& map, CopyObserver& observer) {
  const auto lost = observer.lost_now();
  if (!lost) return failure_of(lost);
  for (const SectorRange& range : unread) {
    map.mark(range, Status::bad);
    for (const SectorRange& part : without(range, *lost)) map.mark(part, Status::non_trimmed);
  }
  return {};
}

// One pass over everything that leaps as far as 1/`parts` of the disk. False: it was ended.
Result<bool> skim(CopyRun& copying, CopyPass pass, std::uint64_t parts, SectorCount unit,
                  CopyMap& map, CopyObserver& observer) {
  Ranges ranges = map.in(Status::untried);
  if (ranges.empty()) return true;
  observer.begin_pass(pass, map);
  const bool backward = pass == CopyPass::backward;
  if (backward) std::ranges::reverse(ranges);
  const bool cautious =
      map.count(Status::bad).value != 0 || map.count(Status::non_trimmed).value != 0;
  Leap leap(map.size(), parts, unit, cautious);
  for (const SectorRange& range : ranges) {
    auto gone_on = copying.skim(range, backward, leap);
    if (!gone_on || !*gone_on) return gone_on;
  }
  return true;
}

// One pass over `ranges` that leaves nothing out. False: it was ended.
Result<bool> visit(CopyRun& copying, CopyPass pass, const Ranges& ranges, CopyMap& map,
                   CopyObserver& observer) {
  if (ranges.empty()) return true;
  observer.begin_pass(pass, map);
  for (const SectorRange& batch : batches(ranges)) {
    Ranges unread;
    if (auto copied = copying.copy(batch, pass == CopyPass::verify, unread); !copied) {
      return failure_of(copied);
    }
    if (!unread.empty()) {
      if (auto marked = mark_unread(unread, map, observer); !marked) return failure_of(marked);
    }
    if (!observer.go_on(map)) return false;
  }
  return true;
}

}  // namespace

Result<void> copy_verified(io::BlockDevice& source, io::BlockDevice& target, SectorCount unit,
                           const Ranges& lost, CopyMap& map, CopyObserver& observer, Clock& clock) {
  // Sectors that are known to be lost are never read from the source: the set answers EIO at once,
  // and they would only look like new errors.
  for (const Status status : {Status::non_scraped, Status::untried, Status::non_trimmed}) {
    for (const SectorRange& range : map.in(status)) {
      for (const SectorRange& bad : lost) map.mark(range.intersect(bad), Status::bad);
    }
  }
  CopyRun copying(source, target, unit, map, observer, clock);
  auto gone_on = skim(copying, CopyPass::forward, kForwardLeaps, unit, map, observer);
  if (gone_on && *gone_on) {
    gone_on = skim(copying, CopyPass::backward, kBackwardLeaps, unit, map, observer);
  }
  if (gone_on && *gone_on && map.count(Status::non_scraped).value > 0) {
    if (auto settled = copying.settle_target(); !settled) return settled;
    gone_on = visit(copying, CopyPass::verify, map.in(Status::non_scraped), map, observer);
  }
  // What was never asked for is likelier to read than what has failed.
  for (const Status status : {Status::untried, Status::non_trimmed}) {
    if (!gone_on || !*gone_on) break;
    gone_on = visit(copying, CopyPass::rest, map.in(status), map, observer);
  }
  return gone_on ? Result<void>() : failure_of(gone_on);
}

}  // namespace dmremap::transfer
