// SPDX-License-Identifier: GPL-2.0-or-later
// Takes over the room of a spare that became larger: a volume that was extended, an image that was
// made longer or is made longer here, a copy of the spare on a larger device.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/units.hpp"
#include "io/file_device.hpp"
#include "metadata/survey.hpp"

namespace dmremap::set {

// What was before and is now of a spare that grew.
struct SpareGrowth {
  std::string path;
  SectorCount size_before;  // that was in use, with the copies of the metadata
  SectorCount size;
  SectorCount capacity;  // of that for data
  SectorCount free;
  std::uint64_t entries = 0;  // of the table in the metadata
  std::uint64_t entry_capacity = 0;
};

// Makes the image `bytes` long, rounded up to 4 KiB, with room reserved for what is added. One that
// is that long already is left as it is. An error leaves it as it was. Errors: usage (a block
// device), device_too_small (it is longer), device_too_large, no_space, io.
[[nodiscard]] Result<void> lengthen_image(const io::FileDevice& image, std::uint64_t bytes);

// The size up to which a spare of `device_size` is to be used, which was in use up to `used`: whole
// blocks of 4 KiB, as far as addresses reach. Error device_too_small: that is no more than before,
// or less. Pure.
[[nodiscard]] Result<SectorCount> size_to_grow_to(SectorCount used, SectorCount device_size,
                                                  const std::string& path);

// How much of a spare of `device_size`, which is in use up to `used`, could be taken over; none if
// it is no longer than that. Pure.
[[nodiscard]] SectorCount room_to_grow(SectorCount used, SectorCount device_size);
// The same for the spare at `path` of a set that does not run; none if it cannot be opened.
[[nodiscard]] SectorCount room_to_grow_at(SectorCount used, const std::string& path);

// That the spare is longer than what its set uses, by `room`, in one line for people, with the
// command that takes it over. Empty if there is no room.
[[nodiscard]] std::string unused_room_note(const std::string& set_name, SectorCount room);

// The room of a spare that was in use up to `used`. Makes its image `bytes` long first, if they are
// given; `take_growth` has what came to the device served, and returns its size now. What a crash
// leaves is an image or a device that is longer than the set uses. Nothing is flushed: the length
// of the image must be durable before a commit relies on it. Errors: as above.
struct GrownRoom {
  SectorCount device_size;
  SectorCount to_use;
};
[[nodiscard]] Result<GrownRoom> prepare_room(
    const io::FileDevice& spare, std::optional<std::uint64_t> bytes, SectorCount used,
    const std::function<Result<SectorCount>()>& take_growth);

// Of a set that does not run: lengthens its image first, if `bytes` are given, and takes over what
// is there. `spare` is held exclusively and open for writing. Errors: as above, and of
// metadata::grow.
Result<SpareGrowth> grow_stopped_spare(io::FileDevice& spare, const metadata::Survey& survey,
                                       std::optional<std::uint64_t> bytes, Random& random,
                                       Clock& clock);

}  // namespace dmremap::set
