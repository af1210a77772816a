// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/read_path.hpp"

#include <cerrno>

#include "remap/route.hpp"

namespace dmremap::remap {

io::IoStatus ReadPath::read(Sector first, std::span<std::byte> out) {
  const SectorRange range{first, SectorCount::from_bytes(out.size())};
  std::vector<Unread> unread;
  std::uint64_t deadline_ns = 0;
  {
    Pins::Pin pin = path_.live.pin(range);
    pin.count_read();
    if (path_.live.clean(range)) [[likely]] {
      const io::IoStatus status = path_.read_main(first, out);
      if (status.ok()) [[likely]]
        return status;
      deadline_ns = path_.deadline_from_now();
      const io::IoStatus narrowed = narrow_main(range, out, status.error, deadline_ns, unread);
      if (!narrowed.ok()) return narrowed;
    } else {
      deadline_ns = path_.deadline_from_now();
      const io::IoStatus status = attempt(range, out, deadline_ns, unread);
      if (!status.ok()) return status;
    }
  }
  // No pin from here on: recovery holds, and a hold waits for pins.
  if (unread.empty()) return io::kIoOk;
  return recovery_.settle(unread, Recovery::Verdict::lost, deadline_ns);
}

io::IoStatus ReadPath::attempt(SectorRange range, std::span<std::byte> out,
                               std::uint64_t deadline_ns, std::vector<Unread>& unread) {
  const Table& table = path_.live.snapshot().table;
  // Known to be lost: answer at once, without touching a device.
  if (any_nowhere(table, range)) return {EIO};
  io::IoStatus status;
  bool spare_used = false;
  for_each_stretch(table, range, [&](const Stretch& stretch) {
    spare_used = spare_used || stretch.place == Place::spare;
    status = read_stretch(stretch, part_of(out, range, stretch.range), deadline_ns, unread);
    return status.ok();
  });
  if (spare_used) path_.remapped_reads.fetch_add(1, std::memory_order_relaxed);
  return status;
}

io::IoStatus ReadPath::read_stretch(const Stretch& stretch, std::span<std::byte> out,
                                    std::uint64_t deadline_ns, std::vector<Unread>& unread) {
  if (stretch.place == Place::main) {
    const io::IoStatus status = path_.read_main(stretch.range.first, out);
    if (status.ok()) return status;
    return narrow_main(stretch.range, out, status.error, deadline_ns, unread);
  }
  const io::IoStatus status = path_.read_spare(stretch.spare, out);
  if (status.ok()) return status;
  if (path_.find_spare(status.error) != Finding::media) return status;
  unread.push_back({stretch.range, out});
  return io::kIoOk;
}

io::IoStatus ReadPath::narrow_main(SectorRange range, std::span<std::byte> out, int error,
                                   std::uint64_t deadline_ns, std::vector<Unread>& unread) {
  if (path_.find_main(error) != Finding::media) return {error};
  for (const SectorRange& block : unreadable_blocks(path_, range, out, deadline_ns, error)) {
    unread.push_back({block, part_of(out, range, block)});
  }
  if (path_.breaker.tripped()) return {error};
  return io::kIoOk;
}

}  // namespace dmremap::remap
