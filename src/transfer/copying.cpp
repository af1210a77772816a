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

class CopyRun {
 public:
  CopyRun(io::BlockDevice& source, io::BlockDevice& target, SectorCount unit, CopyMap& map,
          CopyObserver& observer)
      : source_(source),
        target_(target),
        unit_(unit),
        map_(map),
        observer_(observer),
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

 private:
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

}  // namespace

Result<void> copy_verified(io::BlockDevice& source, io::BlockDevice& target, SectorCount unit,
                           const Ranges& lost, CopyMap& map, CopyObserver& observer) {
  // Sectors that are known to be lost are never read from the source: the set answers EIO at once,
  // and they would only look like new errors.
  for (const Status status : {Status::non_scraped, Status::untried}) {
    for (const SectorRange& range : map.in(status)) {
      for (const SectorRange& bad : lost) map.mark(range.intersect(bad), Status::bad);
    }
  }
  CopyRun copying(source, target, unit, map, observer);
  if (map.count(Status::non_scraped).value > 0) {
    if (auto settled = copying.settle_target(); !settled) return settled;
  }
  // What an earlier run copied is verified first, then the rest is copied.
  for (const Status status : {Status::non_scraped, Status::untried}) {
    for (const SectorRange& batch : batches(map.in(status))) {
      Ranges unread;
      if (auto copied = copying.copy(batch, status == Status::non_scraped, unread); !copied) {
        return copied;
      }
      if (!unread.empty()) {
        if (auto marked = mark_unread(unread, map, observer); !marked) return marked;
      }
      if (!observer.go_on(map)) return {};
    }
  }
  return {};
}

}  // namespace dmremap::transfer
