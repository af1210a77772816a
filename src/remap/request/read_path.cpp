// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/read_path.hpp"

#include <cerrno>
#include <utility>

#include "remap/request/request_timer.hpp"
#include "table/route.hpp"

namespace dmremap::remap {

// Inlined, because a clean read is nothing else.
[[gnu::always_inline]] inline ReadPath::ReadAttempt ReadPath::try_once(
    SectorRange range, std::span<std::byte> out, std::vector<UnreadPart>& unread) {
  table::Pins::Pin pin = path_.live.pin(range);
  if (path_.live.clean(range)) [[likely]] {
    pin.count_read();
    const io::IoStatus status = path_.read_main(range.first, out);
    if (status.ok()) [[likely]]
      return {.status = status};
    // Anything but a bad sector is the answer itself; nothing is asked again.
    if (path_.diagnose_main(status.error) != io::Fault::media) return {.status = status};
    unread.push_back({range, out});
    return {};
  }
  return try_among_bad(pin, range, out, unread);
}

ReadPath::ReadAttempt ReadPath::try_among_bad(table::Pins::Pin& pin, SectorRange range,
                                              std::span<std::byte> out,
                                              std::vector<UnreadPart>& unread) {
  const table::Snapshot& now = path_.live.snapshot();
  const table::Stretch first = table::stretch_at(now.table, range.first, range.end());
  // Mostly all of it is in one place, and one look at the table is enough.
  const bool whole = first.range == range;
  // Known to be lost, gone or failing: answer at once, without touching a device.
  if (first.place == table::Place::nowhere || (!whole && table::any_nowhere(now.table, range)) ||
      path_.spares.failing.any(range)) {
    pin.count_read();
    return {{EIO}};
  }
  // Its bad sectors are being found out: asking the drive as well would only cost it time.
  if (now.watched(range)) return {.status = {}, .watched = true};
  pin.count_read();
  if (whole && first.place == table::Place::main) return {read_main(range, out, unread)};
  return {read_stretches(now.table, range, out, unread)};
}

io::IoStatus ReadPath::read(Sector first, std::span<std::byte> out) {
  const std::uint64_t deadline_ns = path_.deadline_of_request();
  const SectorRange range{first, SectorCount::from_bytes(out.size())};
  std::vector<UnreadPart> unread;
  ReadAttempt attempt = try_once(range, out, unread);
  while (attempt.watched) {
    if (!path_.wait_unwatched(range, path_.true_deadline(deadline_ns))) return {ETIMEDOUT};
    attempt = try_once(range, out, unread);
  }
  // No pin from here on: who settles a sector holds it, and a hold waits for pins.
  if (!attempt.status.ok() || unread.empty()) return attempt.status;
  return retries_.read(unread, path_.true_deadline(deadline_ns));
}

std::optional<io::IoStatus> ReadPath::read_or_later(Sector first, std::span<std::byte> out,
                                                    const Disk::Later& later, RequestTimer* timer) {
  const SectorRange range{first, SectorCount::from_bytes(out.size())};
  if (range.count > Retries::kLongest) return read(first, out);
  const std::uint64_t deadline_ns = path_.deadline_of_request();
  std::vector<UnreadPart> unread;
  const ReadAttempt attempt = try_once(range, out, unread);
  if (!attempt.status.ok() || (unread.empty() && !attempt.watched)) return attempt.status;
  // The retries have a deadline of their own, and answer by it.
  if (!RequestTimer::claim(timer)) return io::IoStatus{ETIMEDOUT};
  return retries_.read_later(range, path_.true_deadline(deadline_ns), later);
}

std::optional<io::IoStatus> ReadPath::take_failed(SectorRange range, std::span<std::byte> out,
                                                  int error, std::uint64_t deadline_of_request,
                                                  const Disk::Later& later, RequestTimer* timer) {
  // Anything but a bad sector is the answer itself; nothing is asked again.
  if (path_.diagnose_main(error) != io::Fault::media) return io::IoStatus{error};
  const std::uint64_t deadline_ns = path_.true_deadline(deadline_of_request);
  if (range.count > Retries::kLongest) {
    const UnreadPart part{range, out};
    return retries_.read({&part, 1}, deadline_ns);
  }
  if (!RequestTimer::claim(timer)) return io::IoStatus{ETIMEDOUT};
  return retries_.read_later(range, deadline_ns, later);
}

io::IoStatus ReadPath::read_stretches(const table::Table& table, SectorRange range,
                                      std::span<std::byte> out, std::vector<UnreadPart>& unread) {
  io::IoStatus status;
  bool spare_used = false;
  for (const table::Stretch& stretch : table::stretches(table, range)) {
    const auto part = part_of(out, range, stretch.range);
    if (stretch.place == table::Place::spare) {
      // Counted once a request, however many stretches of it the spare serves.
      spare_used = true;
      status = read_spare(stretch.range, stretch.spare, part, unread);
    } else {
      status = read_main(stretch.range, part, unread);
    }
    if (!status.ok()) break;
  }
  if (spare_used) path_.remapped_reads.fetch_add(1, std::memory_order_relaxed);
  return status;
}

io::IoStatus ReadPath::read_main(SectorRange range, std::span<std::byte> out,
                                 std::vector<UnreadPart>& unread) {
  const io::IoStatus status = path_.read_main(range.first, out);
  if (status.ok()) return status;
  if (path_.diagnose_main(status.error) != io::Fault::media) return status;
  unread.push_back({range, out});
  return io::kIoOk;
}

io::IoStatus ReadPath::read_spare(SectorRange range, SpareAddress spare, std::span<std::byte> out,
                                  std::vector<UnreadPart>& unread) {
  const io::IoStatus status = path_.spares.read(spare, out);
  if (status.ok()) return status;
  if (path_.spares.at(spare.index).diagnose(status.error) != io::Fault::media) return status;
  unread.push_back({range, out});
  return io::kIoOk;
}

}  // namespace dmremap::remap
