// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/read_path.hpp"

#include <cerrno>
#include <chrono>

#include "remap/route.hpp"

namespace dmremap::remap {

io::IoStatus ReadPath::read(Sector first, std::span<std::byte> out) {
  const std::uint64_t deadline_ns = path_.deadline_of_request();
  const SectorRange range{first, SectorCount::from_bytes(out.size())};
  std::vector<Unread> unread;
  for (;;) {
    Pins::Pin pin = path_.live.pin(range);
    if (path_.live.clean(range)) [[likely]] {
      pin.count_read();
      const io::IoStatus status = path_.read_main(first, out);
      if (status.ok()) [[likely]]
        return status;
      if (path_.find_main(status.error) != Finding::media) return status;
      unread.push_back({range, out});
      break;
    }
    const Snapshot& now = path_.live.snapshot();
    // Known to be lost: answer at once, without touching a device.
    if (any_nowhere(now.table, range)) {
      pin.count_read();
      return {EIO};
    }
    if (now.watched(range)) {
      // Its bad sectors are being found out: asking the drive as well would only cost it time.
      pin.release();
      const std::uint64_t time = path_.clock.monotonic_ns();
      const std::chrono::nanoseconds left(time < deadline_ns ? deadline_ns - time : 0);
      if (!path_.live.wait_unwatched(range, left)) return {ETIMEDOUT};
      continue;
    }
    pin.count_read();
    if (const io::IoStatus status = attempt(now.table, range, out, unread); !status.ok()) {
      return status;
    }
    break;
  }
  // No pin from here on: who settles a sector holds it, and a hold waits for pins.
  if (unread.empty()) return io::kIoOk;
  return retries_.read(unread, deadline_ns);
}

io::IoStatus ReadPath::attempt(const Table& table, SectorRange range, std::span<std::byte> out,
                               std::vector<Unread>& unread) {
  io::IoStatus status;
  bool spare_used = false;
  for_each_stretch(table, range, [&](const Stretch& stretch) {
    const auto part = part_of(out, range, stretch.range);
    if (stretch.place == Place::spare) {
      spare_used = true;
      status = read_spare(stretch.range, stretch.spare, part, unread);
    } else {
      status = read_main(stretch.range, part, unread);
    }
    return status.ok();
  });
  if (spare_used) path_.remapped_reads.fetch_add(1, std::memory_order_relaxed);
  return status;
}

io::IoStatus ReadPath::read_main(SectorRange range, std::span<std::byte> out,
                                 std::vector<Unread>& unread) {
  const io::IoStatus status = path_.read_main(range.first, out);
  if (status.ok()) return status;
  if (path_.find_main(status.error) != Finding::media) return status;
  unread.push_back({range, out});
  return io::kIoOk;
}

io::IoStatus ReadPath::read_spare(SectorRange range, Sector spare, std::span<std::byte> out,
                                  std::vector<Unread>& unread) {
  const io::IoStatus status = path_.read_spare(spare, out);
  if (status.ok()) return status;
  if (path_.find_spare(status.error) != Finding::media) return status;
  unread.push_back({range, out});
  return io::kIoOk;
}

}  // namespace dmremap::remap
